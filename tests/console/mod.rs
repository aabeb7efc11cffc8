//! The console in a real browser, on a line without telephones: what people see, press and are told.

mod browser;
mod line;

use browser::{Browser, installed};
use firstline::call::{Order, Verdict};
use firstline::desk::CallOutcome;
use firstline::edge::http::{Ask, Line as _, Role, Who};
use firstline::runtime::api::Kept;
use firstline::runtime::call_files::Keeping;
use firstline::runtime::pool::Control;
use firstline::runtime::seal::Keys;
use firstline::runtime::trail::Signer;
use firstline::runtime::veil::Veil;
use line::{Line, PASSWORD, call, order, told};

/// What a caller might say, and a page must not do.
const HOSTILE: &str = "<img src=x onerror=\"window.broken=1\"><script>window.broken=1</script> & \"quotes\" what is the late fee?";

async fn log_in(browser: &Browser, line: &Line, name: &str, page: &str) {
    browser.go(&line.url(&format!("/console#{page}"))).await;
    browser
        .until("!document.getElementById('door').hidden")
        .await;
    browser.write("#name", name).await;
    browser.write("#password", PASSWORD).await;
    browser.click("#login button").await;
    browser
        .until("!document.getElementById('shell').hidden && document.querySelector('main h1')")
        .await;
    // That nobody was logged in is in the browser's log, and no more than that.
    let said = browser.complaints().await;
    assert!(said.iter().all(|c| c.contains("401")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_log_in_follow_calls_and_have_a_hand_in_them() {
    if !installed() {
        return;
    }
    let line = Line::start().await;
    line.past("past-1", CallOutcome::Resolved, "is there a late fee")
        .await;
    let browser = Browser::start().await;

    browser.go(&line.url("/console")).await;
    browser
        .until("!document.getElementById('door').hidden")
        .await;
    browser.picture("door").await;
    browser.write("#name", "ada").await;
    browser.write("#password", "no such password").await;
    browser.click("#login button").await;
    let said = browser
        .until("document.getElementById('login-wrong').innerText")
        .await;
    assert_eq!(said, "That name and password do not fit together.");
    // The refused log-in is in the browser's log; nothing else is.
    assert!(browser.complaints().await.iter().all(|c| c.contains("401")));
    log_in(&browser, &line, "ada", "today").await;
    assert_eq!(
        browser.js("return document.cookie;").await,
        "",
        "no script sees the session"
    );
    browser
        .until("document.querySelector('.tile b').innerText === '1'")
        .await;
    browser.picture("today").await;

    // A call comes while somebody watches; what is said in it stays text.
    browser.keys("gl").await;
    browser.until("document.querySelector('.empty')").await;
    let mut record = call("live-1", HOSTILE);
    let mut calls = line.live(&record);
    browser
        .until("document.querySelector('[data-call=live-1] .say.caller')")
        .await;
    let shown = browser
        .js("return document.querySelector('.say.caller p').innerText;")
        .await;
    assert_eq!(shown, HOSTILE);
    record.turns[1].agent.as_mut().unwrap().text = "It is seven dollars.".into();
    record.turns[1].agent.as_mut().unwrap().heard = "It is seven dollars.".into();
    line.state.changed(&record);
    browser
        .until("document.body.innerText.includes('It is seven dollars.')")
        .await;
    browser.picture("live").await;

    // Listening in: sound comes to the browser.
    browser.press("Listen in").await;
    let Control::Listen(to) = told(&mut calls).await else {
        panic!("nobody listens");
    };
    for _ in 0..20 {
        let _ = to.try_send([[400; 320], [-400; 320]]);
    }
    browser
        .until("document.querySelector('[data-listen][aria-pressed=true]')")
        .await;
    browser
        .until("document.body.innerText.includes('Listening in')")
        .await;
    browser.press("Stop").await;
    browser
        .until("document.querySelector('[data-listen][aria-pressed=false]')")
        .await;

    // Sending on, taking over, ending.
    browser.press("Send to a human").await;
    assert_eq!(order(&mut calls).await, Order::Summon { by: "ada".into() });
    browser.press("Take over").await;
    browser.press("Take it").await;
    let Control::Take {
        target, mut leg, ..
    } = told(&mut calls).await
    else {
        panic!("nobody takes the call");
    };
    assert_eq!(target, "console:ada");
    browser
        .until("document.body.innerText.includes('You are talking to the caller')")
        .await;
    // The browser's made-up microphone beeps: something of it reaches the call.
    let mut loudest = 0;
    for _ in 0..250 {
        leg.push(&[300; 320]);
        let heard = leg.pull();
        loudest = loudest.max(
            heard
                .pcm
                .iter()
                .map(|s| s.unsigned_abs())
                .max()
                .unwrap_or(0),
        );
        if loudest > 500 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(loudest > 500, "the colleague is not heard: {loudest}");
    browser.press("Hang up").await;
    let mut gone = false;
    for _ in 0..100 {
        gone |= leg
            .pull()
            .signals
            .iter()
            .any(|s| matches!(s, firstline::edge::Signal::Ended(_)));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(gone, "who hangs up in the browser leaves the call");
    browser.press("End").await;
    browser.press("End it").await;
    assert!(matches!(told(&mut calls).await, Control::End));
    line.state.ended(&record);
    browser.until("document.querySelector('.empty')").await;
    assert_eq!(browser.js("return window.broken ?? 'no';").await, "no");
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // Out again, and the page is empty-handed.
    browser.click("#logout").await;
    browser
        .until("!document.getElementById('door').hidden")
        .await;
    browser.js("location.hash = '#calls';").await;
    let status = browser
        .js("return fetch('/api/calls').then(r => r.status);")
        .await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_looked_at_heard_graded_and_learnt_from() {
    if !installed() {
        return;
    }
    let line = Line::start().await;
    line.past("past-1", CallOutcome::Resolved, "is there a late fee")
        .await;
    line.past("past-2", CallOutcome::Transferred, HOSTILE).await;
    let browser = Browser::start().await;
    log_in(&browser, &line, "rae", "calls").await;

    // Search, by keys alone.
    browser
        .until("document.querySelectorAll('main tbody tr').length === 2")
        .await;
    browser.keys("/").await;
    browser.keys("quotes").await;
    browser
        .until("document.querySelectorAll('main tbody tr').length === 1")
        .await;
    browser.keys("\u{e00c}").await;
    browser.keys("j\u{e007}").await;
    browser.until("document.querySelector('svg.wave .c')").await;
    let heard = browser
        .js("return [...document.querySelectorAll('.say.caller p')].map(p => p.innerText)[0];")
        .await;
    assert_eq!(heard, HOSTILE);
    assert_eq!(browser.js("return window.broken ?? 'no';").await, "no");

    // The sound, from a turn's time and by keys.
    browser.go(&line.url("/console#call/past-1")).await;
    browser.until("document.querySelector('svg.wave .c') && document.body.innerText.includes('is there a late fee')").await;
    browser.picture("call").await;
    browser.click("#turn-1 .say.caller button.seek").await;
    browser
        .until("document.querySelector('audio').currentTime > 4.85")
        .await;
    browser.until("document.querySelector('#turn-1.on')").await;
    browser.keys(" ").await;
    browser
        .until("document.querySelector('audio').paused")
        .await;
    browser.keys("\u{e014}").await;
    browser
        .until("document.querySelector('[role=slider]').getAttribute('aria-valuenow') >= 9")
        .await;

    // Evidence, grades, the regression set.
    browser
        .until("document.getElementById('why').innerText.includes('answered from late-fee')")
        .await;
    browser.keys("2").await;
    browser
        .until("document.querySelector('dialog[open] textarea')")
        .await;
    browser.keys("it says seven, it is eight").await;
    browser.press("Save").await;
    browser
        .until("document.querySelector('[data-grade=wrong][aria-pressed=true]')")
        .await;
    let grades = line.state.store.grades(Some("past-1")).await.unwrap();
    assert_eq!(
        (grades[0].grade.as_str(), grades[0].by.as_str()),
        ("wrong", "rae")
    );
    browser.press("Add to the regression set").await;
    browser
        .until("document.getElementById('toast').innerText.includes('questions.jsonl')")
        .await;
    let questions = std::fs::read_to_string(line.dir.join("desk/questions.jsonl")).unwrap();
    let last = questions.lines().last().unwrap();
    assert!(
        last.contains("\"is there a late fee\"") && last.contains("\"late-fee\""),
        "{last}"
    );

    // The article behind it is put right, and the line knows.
    browser.go(&line.url("/console#articles/late-fee")).await;
    browser.until("document.getElementById('a-spoken')").await;
    browser.write("#a-spoken", "The late fee is $8.").await;
    browser.press("Save, and let the line learn it").await;
    browser
        .until("document.getElementById('toast').innerText.includes('Saved as late-fee')")
        .await;
    let spoken = line.pilot.files().articles[0].spoken.clone();
    assert_eq!(spoken.as_deref(), Some("The late fee is $8."));

    for page in ["gaps", "sample", "desk", "report", "reviews", "pilot"] {
        browser.go(&line.url(&format!("/console#{page}"))).await;
        browser
            .until(
                "document.querySelector('main h1') && !document.querySelector('main [role=alert]')",
            )
            .await;
        browser.picture(page).await;
    }
    let gaps = browser
        .js("return fetch('/api/gaps').then(r => r.json()).then(g => g[0].why);")
        .await;
    assert_eq!(
        gaps, "no article answers it",
        "the call that was handed over"
    );
    // A reviewer has no business with people and trust.
    let refused = browser
        .js("return fetch('/api/users').then(r => r.status);")
        .await;
    assert_eq!(refused, 403);
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().all(|c| c.contains("/api/users")),
        "{complaints:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_wait_for_a_reviewer_and_trust_is_given_by_a_person() {
    if !installed() {
        return;
    }
    let line = Line::start().await;
    let record = call("live-1", "is there a late fee");
    let mut calls = line.live(&record);
    let browser = Browser::start().await;
    log_in(&browser, &line, "ada", "reviews").await;
    assert!(!line.pilot.on_duty());
    browser.click("#duty").await;
    browser
        .until("document.getElementById('duty').getAttribute('aria-pressed') === 'true'")
        .await;
    assert_eq!(line.pilot.reviewers(), ["ada"]);
    assert!(line.pilot.view().reviewed.contains("late_fee"));

    let verdict = async |number: u64, calls: &mut tokio::sync::mpsc::Receiver<_>| {
        let Order::Reviewed {
            number: n,
            verdict,
            by,
        } = order(calls).await
        else {
            panic!("no verdict");
        };
        assert_eq!((n, by.as_str()), (number, "ada"));
        line.state
            .review_over(&line.pilot, "live-1", number, &verdict, &Veil::default());
        verdict
    };
    line.draft(&record, 1);
    browser
        .until("document.querySelector('.draft')?.innerText === 'The late fee is $7.'")
        .await;
    browser.picture("review").await;
    browser.keys("a").await;
    assert_eq!(verdict(1, &mut calls).await, Verdict::Approved);
    browser.until("document.querySelector('.empty')").await;

    line.draft(&record, 2);
    browser.until("document.querySelector('.draft')").await;
    browser.keys("e").await;
    browser
        .until("document.activeElement.tagName === 'TEXTAREA'")
        .await;
    browser.keys("It is eight dollars.\u{e007}").await;
    assert_eq!(
        verdict(2, &mut calls).await,
        Verdict::Edited("It is eight dollars.".into())
    );
    // The card that was written in is gone: keys are keys again.
    browser.until("document.querySelector('.empty')").await;

    line.draft(&record, 3);
    browser.until("document.querySelector('.draft')").await;
    browser.keys("x").await;
    assert_eq!(
        verdict(3, &mut calls).await,
        Verdict::Rejected(String::new())
    );
    browser.until("document.querySelector('.empty')").await;

    // Trust: by a person, with a reason, and it is in the trail.
    browser.go(&line.url("/console#pilot")).await;
    browser
        .until("document.querySelector('main select[aria-label=\"Mode of hours\"]')")
        .await;
    browser
        .js("const s = document.querySelector('select[aria-label=\"Mode of hours\"]'); s.value = 'human'; s.dispatchEvent(new Event('change'));")
        .await;
    browser
        .until("document.querySelector('dialog[open] textarea')")
        .await;
    browser.keys("the hours change at Christmas").await;
    browser.press("Change it").await;
    browser
        .until("document.body.innerText.includes('set by ada')")
        .await;
    browser.picture("pilot-set").await;
    let desk = line.pilot.view().desk;
    assert_eq!(desk.policy("hours").mode, firstline::desk::Mode::Human);
    let acts = line.state.store.acts(10).await.unwrap();
    let set = acts.iter().find(|a| a.act == "mode set").unwrap();
    assert_eq!((set.by.as_str(), set.subject.as_str()), ("ada", "hours"));
    assert!(set.detail.contains("Christmas"), "{}", set.detail);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// Every page in the light and in the dark, on a desk and in a hand: nothing runs off the side, every control has a name, and every
/// word has a contrast of at least 4.5 (WCAG 2.2, 1.4.3).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_read() {
    if !installed() {
        return;
    }
    let line = Line::start().await;
    line.past("past-1", CallOutcome::Resolved, "is there a late fee")
        .await;
    line.past(
        "past-2",
        CallOutcome::Transferred,
        "what does it cost when I am very late with a payment that I had moved twice before",
    )
    .await;
    let record = call("live-1", "is there a late fee");
    let _calls = line.live(&record);
    let browser = Browser::start().await;
    log_in(&browser, &line, "ada", "today").await;
    for (width, height) in [(1280, 900), (390, 844)] {
        browser.size(width, height).await;
        for dark in [false, true] {
            browser.dark(dark).await;
            for page in [
                "today",
                "live",
                "calls",
                "call/past-2",
                "callbacks",
                "reviews",
                "pilot",
                "sample",
                "gaps",
                "articles",
                "articles/late-fee",
                "desk",
                "report",
                "people",
            ] {
                browser.js(&format!("document.querySelector('main').replaceChildren(); location.hash = '#{page}'; window.dispatchEvent(new Event('again'));")).await;
                browser.until("document.querySelector('main h1')").await;
                assert_eq!(
                    browser.js(READABLE).await,
                    serde_json::json!([]),
                    "{page}, {width} wide, dark: {dark}"
                );
                let name = format!(
                    "{}-{width}-{}",
                    page.replace('/', "-"),
                    if dark { "dark" } else { "light" }
                );
                browser.picture(&name).await;
            }
        }
    }
}

/// What is wrong with the page that is shown, in sentences.
const READABLE: &str = r##"
const wrong = [];
if (document.scrollingElement.scrollWidth > innerWidth + 1) wrong.push("it is " + document.scrollingElement.scrollWidth + " wide");
const seen = (n) => n.getClientRects().length && getComputedStyle(n).visibility !== "hidden";
for (const n of document.querySelectorAll("main :is(button, a, input, select, textarea, [role=slider], [role=img])")) {
  const name = n.getAttribute("aria-label") || n.innerText || n.textContent || n.placeholder || n.title || [...(n.labels || [])].map((l) => l.innerText).join(" ");
  if (seen(n) && !name.trim()) wrong.push("no name: " + n.outerHTML.slice(0, 120));
  if (n.matches("input, select, textarea") && !n.getAttribute("aria-label") && !n.labels?.length) wrong.push("no label: " + n.outerHTML.slice(0, 120));
}
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const ground = (n) => { const c = n ? rgba(getComputedStyle(n).backgroundColor) : rgba(getComputedStyle(document.body).backgroundColor); return !n || c[3] === 1 ? c : over(c, ground(n.parentElement)); };
const light = (c) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]); };
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const n = walk.currentNode.parentElement;
  if (!walk.currentNode.textContent.trim() || !seen(n) || n.closest("svg, option, script, style, noscript, :disabled, kbd")) continue;
  const g = ground(n), ink = over(rgba(getComputedStyle(n).color), g), a = light(ink), b = light(g);
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) wrong.push(contrast.toFixed(2) + ": " + walk.currentNode.textContent.trim().slice(0, 40) + " in " + n.className);
}
if (document.querySelectorAll("main h1").length !== 1) wrong.push("not one heading");
if (document.querySelector("nav a[aria-current]") === null) wrong.push("the menu does not say where one is");
return [...new Set(wrong)];
"##;

/// Encrypted, and without the key they are nothing: a call's page has its events and its waveform all the same.
#[tokio::test]
async fn a_calls_page_reads_what_is_encrypted() {
    let line = Line::start().await;
    line.past("sealed-1", CallOutcome::Resolved, "is there a late fee")
        .await;
    let folder = line.state.folder("sealed-1");
    let keys = Keys::read("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap();
    for name in ["audio.wav", "events.jsonl"] {
        let sealed = keys.whole(&std::fs::read(folder.join(name)).unwrap());
        std::fs::write(folder.join(format!("{name}.sealed")), sealed).unwrap();
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    let who = Who {
        name: "ada".into(),
        role: Role::Admin,
        csrf: None,
    };
    let ask = |ask| line.state.ask(&who, ask);
    assert!(ask(Ask::Trail("sealed-1".into())).await.is_err(), "no key");
    line.state.give_out(Kept {
        keeping: std::sync::Arc::new(Keeping {
            keys: Some(keys),
            signer: Signer::open(&line.dir.join("trail.key")).unwrap(),
            metrics: std::sync::Arc::default(),
            to_s3: false,
        }),
        bucket: None,
    });
    let events = ask(Ask::Trail("sealed-1".into())).await.unwrap();
    assert_eq!(events[0]["event"], "answered");
    let wave = ask(Ask::Peaks("sealed-1".into())).await.unwrap();
    assert_eq!(wave["ms"], 11_000);
    assert!(ask(Ask::Trail("nobody".into())).await.is_err());
}

/// Reviewers see a caller's words as they are while a reply waits; what is kept of it is without what is private.
#[tokio::test]
async fn a_draft_is_stored_without_what_is_private() {
    let line = Line::start().await;
    let mut record = call(
        "live-2",
        "my card is 4111 1111 1111 1111 what is the late fee",
    );
    record.turns[1].decision.as_mut().unwrap().reply = "On 4111 1111 1111 1111 it is $7.".into();
    line.draft(&record, 7);
    let shown = line.pilot.waiting();
    assert!(shown[0].review.words.contains("4111"));
    let mut kept = Vec::new();
    for _ in 0..100 {
        kept = line.state.store.reviews(false, 0, 10).await.unwrap();
        if !kept.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(kept[0].words, "my card is [card] what is the late fee");
    assert_eq!(kept[0].draft, "On [card] it is $7.");
}
