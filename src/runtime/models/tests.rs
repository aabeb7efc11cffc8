use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;

use super::*;

struct Quiet(Mutex<Vec<String>>);

impl Progress for Quiet {
    fn begin(&self, _: &str, _: u64) {}
    fn at(&self, _: u64) {}
    fn end(&self) {}
    fn say(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

fn quiet() -> Quiet {
    Quiet(Mutex::new(Vec::new()))
}

fn room(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("firstline-models-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn the_manifest_is_whole() {
    let manifest = manifest();
    assert!(manifest.models.len() >= 5);
    for model in &manifest.models {
        assert!(!model.sources.is_empty(), "{}", model.name);
        for (what, sum, bytes) in model
            .files
            .iter()
            .map(|f| (&f.name, &f.sha256, f.bytes))
            .chain(model.inputs.iter().map(|i| (&i.name, &i.sha256, i.bytes)))
        {
            assert_eq!(sum.len(), 64, "{what}");
            assert!(bytes > 0, "{what}");
        }
        for file in &model.files {
            assert!(
                file.from
                    .iter()
                    .all(|f| model.inputs.iter().any(|i| &i.name == f))
            );
        }
        for source in &model.sources {
            for input in &model.inputs {
                assert!(
                    source.parts.contains_key(&input.name),
                    "{}: {}",
                    model.name,
                    input.name
                );
            }
        }
    }
    assert!(
        manifest
            .get("whisper-tiny")
            .unwrap_err()
            .contains("whisper-tiny.en")
    );
    assert!(
        path("minilm", "nothing.bin")
            .unwrap_err()
            .contains("no file")
    );
}

#[test]
fn short_and_changed_files_are_not_good() {
    let dir = room("state");
    let mut model = manifest().get("silero-vad").unwrap().clone();
    model.files[0].bytes = 4;
    model.files[0].sha256 = sha256_bytes(b"good");
    let path = dir.join(&model.files[0].name);
    assert_eq!(quick_state(&model, &dir), State::Absent);
    fs::write(&path, b"goo").unwrap();
    assert!(matches!(quick_state(&model, &dir), State::Wrong(_)));
    fs::write(&path, b"good").unwrap();
    assert_eq!(quick_state(&model, &dir), State::Good);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn members_are_bounded_and_nested_archives_are_read() {
    let dir = room("zip");
    let write = |name: &str, files: &[(&str, &[u8])]| {
        let path = dir.join(name);
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, bytes) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    };
    let inner = write("inner.zip", &[("deep.json", b"{}")]);
    let inner = fs::read(inner).unwrap();
    let one = write("one.whl", &[("a/x.bin", b"12345"), ("../evil", b"no")]);
    let two = write("two.whl", &[("b/in.zip", &inner)]);
    let both = [one, two];
    assert_eq!(unpack::member(&both, "a/x.bin", 5).unwrap(), b"12345");
    assert_eq!(
        unpack::member(&both, "b/in.zip!/deep.json", 2).unwrap(),
        b"{}"
    );
    assert!(
        unpack::member(&both, "a/x.bin", 4)
            .unwrap_err()
            .contains("longer")
    );
    assert!(
        unpack::member(&both, "a/y.bin", 4)
            .unwrap_err()
            .contains("holds no")
    );
    // A thousand zeros pack small: the bound is on what comes out.
    let bomb = write("bomb.whl", &[("z", &vec![0; 1 << 20])]);
    assert!(
        unpack::member(&[bomb], "z", 1000)
            .unwrap_err()
            .contains("longer")
    );
    fs::remove_dir_all(dir).unwrap();
}

/// A server that answers a list of requests, each with what the closure makes of its head.
fn serve(answers: Vec<Box<dyn Fn(&str) -> Vec<u8> + Send>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let _ = stream.write_all(&answer(&String::from_utf8_lossy(&head)));
        }
    });
    format!("http://{address}/file")
}

fn run<F: Future>(f: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(f)
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let dir = room("resume");
    let part = dir.join("x.part");
    let url = serve(vec![
        // Says ten, sends four, hangs up.
        Box::new(|_| {
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123".to_vec()
        }),
        Box::new(|head| {
            assert!(
                head.to_ascii_lowercase().contains("range: bytes=4-"),
                "{head}"
            );
            b"HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\nConnection: close\r\n\r\n456789"
                .to_vec()
        }),
    ]);
    let client = fetch::client().unwrap();
    run(fetch::fetch(&client, &url, &part, 10, &quiet())).unwrap();
    assert_eq!(fs::read(&part).unwrap(), b"0123456789");

    // A server that knows no ranges: the file starts afresh instead of being doubled.
    fs::write(&part, b"0123").unwrap();
    let url = serve(vec![Box::new(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabcdefghij".to_vec()
    })]);
    run(fetch::fetch(&client, &url, &part, 10, &quiet())).unwrap();
    assert_eq!(fs::read(&part).unwrap(), b"abcdefghij");

    // More than was promised, and a refusal.
    let url = serve(vec![
        Box::new(|_| b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcdefghijk".to_vec()),
        Box::new(|_| {
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
        }),
    ]);
    fs::remove_file(&part).unwrap();
    let said = run(fetch::fetch(&client, &url, &part, 10, &quiet())).unwrap_err();
    assert!(said.contains("more than"), "{said}");
    fs::remove_file(&part).unwrap();
    let said = run(fetch::fetch(&client, &url, &part, 10, &quiet())).unwrap_err();
    assert!(said.contains("404"), "{said}");
    fs::remove_dir_all(dir).unwrap();
}

/// A model of one copied file, from one address.
fn toy(url: &str, content: &[u8]) -> Model {
    toml::from_str(&format!(
        r#"
name = "toy-{}"
about = "a test"
licence = "CC0-1.0"
origin = "this test"
default = false
file = [{{ name = "a", make = "copy", from = ["i"], bytes = {n}, sha256 = "{sum}" }}]
input = [{{ name = "i", bytes = {n}, sha256 = "{sum}" }}]
source = [{{ parts = {{ i = ["{url}"] }} }}]
"#,
        std::process::id(),
        n = content.len(),
        sum = sha256_bytes(content),
    ))
    .unwrap()
}

#[test]
fn only_the_right_bytes_get_a_name() {
    let dir = room("pull");
    let wrong = serve(vec![Box::new(|_| {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbad!".to_vec()
    })]);
    let model = toy(&wrong, b"good");
    let said = run(pull(&model, &dir, &quiet())).unwrap_err();
    assert!(said.contains("hashes to"), "{said}");
    assert!(!dir.join(&model.name).join("a").exists());

    let right = serve(vec![Box::new(|_| {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ngood".to_vec()
    })]);
    run(pull(&toy(&right, b"good"), &dir, &quiet())).unwrap();
    assert_eq!(fs::read(dir.join(&model.name).join("a")).unwrap(), b"good");
    fs::remove_dir_all(dir).unwrap();
}
