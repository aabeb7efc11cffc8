//! A browser by the WebDriver protocol (W3C WebDriver, level 2): as much of it as the tests need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A real Chromium with a profile of its own. Goes when it is dropped.
pub struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
    profile: PathBuf,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when its session ends; killed, it would leave it behind.
        let _ = self.end_session();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Whether there is a browser to test with; its absence is a failure where `FIRSTLINE_TEST_REAL` asks for it.
pub fn installed() -> bool {
    let found = ["chromium", "chromedriver"].iter().all(|program| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    });
    assert!(
        found || std::env::var_os("FIRSTLINE_TEST_REAL").is_none(),
        "chromium or chromedriver is not installed, and FIRSTLINE_TEST_REAL asks for it"
    );
    if !found {
        eprintln!("no chromium here: not tried");
    }
    found
}

impl Browser {
    pub async fn start() -> Browser {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let out = driver.stdout.take().expect("its output");
        let (told, port) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    let _ = told.try_send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        let port = port
            .recv_timeout(Duration::from_secs(30))
            .expect("chromedriver says its port");
        let profile =
            std::env::temp_dir().join(format!("firstline-chromium-{}", uuid::Uuid::new_v4()));
        let args = [
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--disable-background-networking".into(),
            "--no-first-run".into(),
            "--autoplay-policy=no-user-gesture-required".into(),
            "--use-fake-device-for-media-stream".into(),
            "--use-fake-ui-for-media-stream".into(),
            "--window-size=1280,900".into(),
            format!("--user-data-dir={}", profile.display()),
        ];
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": args }, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let base = format!("http://127.0.0.1:{port}/session");
        let begun = call(&http, reqwest::Method::POST, &base, &wanted).await;
        let id = begun["sessionId"].as_str().expect("a session").to_owned();
        Browser {
            driver,
            http,
            session: format!("{base}/{id}"),
            profile,
        }
    }

    /// By hand: a test that failed has no runtime left to wait in.
    fn end_session(&self) -> std::io::Result<()> {
        let address = self.session.trim_start_matches("http://");
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let mut socket = TcpStream::connect(host)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let request =
            format!("DELETE /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes())?;
        // Its answer comes when the browser has gone.
        let mut answer = [0; 1024];
        socket.read(&mut answer).map(drop)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/{path}", self.session);
        call(&self.http, reqwest::Method::POST, &url, &body).await
    }

    pub async fn go(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// Runs `script` as a function's body in the page; what it returns.
    pub async fn js(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// Waits until `condition`, an expression, is true; what it then is.
    pub async fn until(&self, condition: &str) -> Value {
        let since = Instant::now();
        loop {
            let is = self.js(&format!("return {condition};")).await;
            if is != Value::Null && is != json!(false) && is != json!("") && is != json!(0) {
                return is;
            }
            if since.elapsed() > Duration::from_secs(15) {
                let page = self.js("return document.body.innerText;").await;
                panic!("never true: {condition}\n{}", page.as_str().unwrap_or(""));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn find(&self, css: &str) -> String {
        let found = self
            .post("element", json!({ "using": "css selector", "value": css }))
            .await;
        let id = found
            .as_object()
            .and_then(|o| o.values().next())
            .and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("{css} is not on the page: {found}"))
            .to_owned()
    }

    pub async fn click(&self, css: &str) {
        let id = self.find(css).await;
        self.post(&format!("element/{id}/click"), json!({})).await;
    }

    /// Clicks the first button or link with these words on it.
    pub async fn press(&self, words: &str) {
        let there = format!(
            "[...document.querySelectorAll('dialog[open] button, main button, main a')].find(b => b.innerText.trim().startsWith({}) && b.offsetParent)",
            json!(words)
        );
        self.until(&format!("!!{there}")).await;
        self.js(&format!(
            "const b = {there}; b.setAttribute('data-press', 'now');"
        ))
        .await;
        self.click("[data-press=now]").await;
        self.js("document.querySelector('[data-press]')?.removeAttribute('data-press')")
            .await;
    }

    pub async fn write(&self, css: &str, text: &str) {
        let id = self.find(css).await;
        self.post(&format!("element/{id}/clear"), json!({})).await;
        self.post(&format!("element/{id}/value"), json!({ "text": text }))
            .await;
    }

    /// Keys, one after the other, wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        let presses: Vec<Value> = keys
            .chars()
            .flat_map(|k| {
                [
                    json!({ "type": "keyDown", "value": k.to_string() }),
                    json!({ "type": "keyUp", "value": k.to_string() }),
                ]
            })
            .collect();
        self.post(
            "actions",
            json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": presses }] }),
        )
        .await;
    }

    /// A command of the browser's own protocol.
    pub async fn cdp(&self, command: &str, params: Value) -> Value {
        self.post(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": params }),
        )
        .await
    }

    pub async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    pub async fn size(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// What the browser complained of since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" })).await;
        log.as_array()
            .into_iter()
            .flatten()
            .filter(|l| l["level"] == "SEVERE" || l["level"] == "WARNING")
            .map(|l| l["message"].as_str().unwrap_or("").to_owned())
            .collect()
    }

    /// Into the folder of `FIRSTLINE_SCREENSHOTS`, where one is named.
    pub async fn picture(&self, name: &str) {
        use base64::Engine;
        let Some(folder) = std::env::var_os("FIRSTLINE_SCREENSHOTS") else {
            return;
        };
        let url = format!("{}/screenshot", self.session);
        let image = call(&self.http, reqwest::Method::GET, &url, &Value::Null).await;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(image.as_str().unwrap_or(""))
            .expect("a picture");
        std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), bytes)
            .expect("the folder can be written to");
    }
}

async fn call(http: &reqwest::Client, method: reqwest::Method, url: &str, body: &Value) -> Value {
    let request = http
        .request(method.clone(), url)
        .timeout(Duration::from_secs(60));
    let request = if method == reqwest::Method::GET {
        request
    } else {
        request.json(body)
    };
    let answer = request.send().await.expect("the driver answers");
    let good = answer.status().is_success();
    let mut answer: Value = answer.json().await.expect("JSON");
    let value = answer["value"].take();
    assert!(good, "{url} {body}: {value}");
    value
}
