#![allow(clippy::all, clippy::disallowed_methods)]
use firstline::desk::confidence::evidence;
use firstline::desk::{Conversation, Desk, DeskFiles, Route, Said, parse};
use firstline::reason::{Embedder, minilm::MiniLm};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn cached(name: &str, texts: &[String], e: &mut MiniLm, read: bool) -> HashMap<String, Vec<f32>> {
    let path = PathBuf::from(format!("/work/tmp/t/vec-{name}-{}.bin", read as u8));
    let mut known: HashMap<String, Vec<f32>> = HashMap::new();
    if let Ok(b) = std::fs::read(&path) {
        let mut at = 0;
        while at + 8 <= b.len() {
            let n = u32::from_le_bytes(b[at..at + 4].try_into().unwrap()) as usize;
            let d = u32::from_le_bytes(b[at + 4..at + 8].try_into().unwrap()) as usize;
            let t = String::from_utf8(b[at + 8..at + 8 + n].to_vec()).unwrap();
            let v = b[at + 8 + n..at + 8 + n + 4 * d]
                .chunks_exact(4)
                .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
                .collect();
            known.insert(t, v);
            at += 8 + n + 4 * d;
        }
    }
    let missing: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|t| !known.contains_key(*t))
        .collect();
    if !missing.is_empty() {
        let made = if read {
            e.read(&missing)
        } else {
            e.embed(&missing)
        }
        .unwrap();
        let mut out = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        let mut buf = Vec::new();
        for (t, v) in missing.iter().zip(made) {
            buf.extend((t.len() as u32).to_le_bytes());
            buf.extend((v.len() as u32).to_le_bytes());
            buf.extend(t.as_bytes());
            v.iter().for_each(|x| buf.extend(x.to_le_bytes()));
            known.insert(t.to_string(), v);
        }
        use std::io::Write;
        out.write_all(&buf).unwrap();
    }
    texts
        .iter()
        .filter_map(|t| Some((t.clone(), known.get(t)?.clone())))
        .collect()
}

fn files(dir: &Path) -> DeskFiles {
    let mut m = BTreeMap::new();
    for n in [
        "desk.toml",
        "intents.jsonl",
        "actions.toml",
        "phrases.toml",
        "calibration.toml",
    ] {
        if let Ok(t) = std::fs::read_to_string(dir.join(n)) {
            m.insert(n.to_string(), t);
        }
    }
    for e in std::fs::read_dir(dir.join("knowledge")).unwrap() {
        let p = e.unwrap().path();
        m.insert(
            format!("knowledge/{}", p.file_name().unwrap().to_string_lossy()),
            std::fs::read_to_string(&p).unwrap(),
        );
    }
    DeskFiles(m)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let show = args.iter().any(|a| a == "--wrong");
    let showmissed = args.iter().any(|a| a == "--missed");
    let dump = args.iter().any(|a| a == "--dump");
    let mut e = MiniLm::load(Path::new("/root/.cache/firstline/models/minilm")).unwrap();
    let now: jiff::Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let mut tot = [0usize; 4];
    let mut tota = 0;
    let mut allspoken: Vec<(f32, bool)> = vec![];
    for dir in args.iter().filter(|a| !a.starts_with("--")) {
        let name = Path::new(dir)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let f = files(Path::new(dir));
        let qs: Vec<serde_json::Value> =
            std::fs::read_to_string(Path::new(dir).join("questions.jsonl"))
                .unwrap()
                .lines()
                .filter(|l| !l.trim().is_empty())
                .map(|l| serde_json::from_str(l).unwrap())
                .collect();
        let qtexts: Vec<String> = qs
            .iter()
            .map(|q| q["text"].as_str().unwrap().to_string())
            .collect();
        let qv = cached(&format!("{name}-q"), &qtexts, &mut e, true);
        let source = parse(&f).unwrap();
        let vectors = cached(&name, &source.texts(), &mut e, false);
        let readings = cached(&name, &source.spoken_texts(), &mut e, true);
        let relevant_of = |q: &serde_json::Value| -> Vec<String> {
            q["relevant"]
                .as_array()
                .map(|a| a.iter().map(|x| x.as_str().unwrap().to_string()).collect())
                .or_else(|| q["source"].as_str().map(|s| vec![s.to_string()]))
                .unwrap_or_default()
        };
        let desk = Arc::new(Desk::build(source.clone(), &vectors).with_readings(&readings));
        let mut c = [0usize; 4];
        let mut kinds: BTreeMap<String, [usize; 4]> = BTreeMap::new();
        let (mut n, mut r1, mut r3, mut r5) = (0, 0, 0, 0);
        let mut answerable_n = 0;
        for q in &qs {
            let text = q["text"].as_str().unwrap();
            let rel = relevant_of(q);
            let must: Vec<String> = q["must"]
                .as_array()
                .map(|a| {
                    a.iter()
                        .map(|x| x.as_str().unwrap().to_lowercase())
                        .collect()
                })
                .unwrap_or_default();
            let route =
                q["route"]
                    .as_str()
                    .unwrap_or(if rel.is_empty() { "transfer" } else { "answer" });
            let kind = q["kind"].as_str().unwrap_or(route).to_string();
            let said = Said {
                text: text.into(),
                vector: qv[text].clone(),
                now,
                ..Said::default()
            };
            let mut talk = Conversation::rehearsal(desk.clone(), "q", now);
            let d = talk.hear(&said).decision;
            let answerable = route == "answer";
            answerable_n += answerable as usize;
            let src = d.sources.first().map(|s| s.id.clone()).unwrap_or_default();
            let right = answerable
                && rel.contains(&src)
                && must.iter().all(|m| d.reply.to_lowercase().contains(m));
            let fate = if d.route != Route::Answer {
                if answerable { 3 } else { 2 }
            } else if right {
                0
            } else {
                1
            };
            if d.route == Route::Answer {
                allspoken.push((d.confidence, right));
            }
            c[fate] += 1;
            kinds.entry(kind.clone()).or_default()[fate] += 1;
            if !rel.is_empty() {
                n += 1;
                let at = d
                    .sources
                    .iter()
                    .position(|s| rel.contains(&s.id))
                    .unwrap_or(99);
                r1 += (at < 1) as usize;
                r3 += (at < 3) as usize;
                r5 += (at < 5) as usize;
            }
            if (show && fate == 1) || (showmissed && fate == 3) {
                println!(
                    "{} {:.2} [{kind}] {text}\n     {src} want {rel:?} {must:?}\n     {} | {}",
                    ["RIGHT", "WRONG", "HELD", "MISSED"][fate],
                    d.confidence,
                    d.reply,
                    d.reason
                );
                if fate == 3 {
                    let u = desk.understand(text, &qv[text]);
                    if let Some(a) = desk.answer(text, &qv[text], &u) {
                        println!(
                            "     WOULD {} : {}  scope {:.2} intents {:?} field {:.2}",
                            a.source,
                            a.text,
                            u.in_scope,
                            &u.intents[..u.intents.len().min(2)],
                            u.field
                        );
                    }
                }
            }
            if dump {
                let u = desk.understand(text, &qv[text]);
                if firstline::desk::inquiry::escalation(&u, true).is_none() {
                    if let Some(a) = desk.answer(text, &qv[text], &u) {
                        let good = answerable
                            && rel.contains(&a.source)
                            && must.iter().all(|m| a.text.to_lowercase().contains(m));
                        println!(
                            "DUMP\t{name}\t{kind}\t0\t{}\t{}\t{text}\t{}",
                            good as u8,
                            evidence(&u, Some(&a), None)
                                .iter()
                                .map(|x| format!("{x:.5}"))
                                .collect::<Vec<_>>()
                                .join(","),
                            a.text
                        );
                    }
                }
            }
        }
        if dump {
            // Every question once more without the articles that answer it.
            for q in qs.iter() {
                let text = q["text"].as_str().unwrap();
                let rel = relevant_of(q);
                if rel.is_empty() || q["route"] == "act" {
                    continue;
                }
                let mut s = source.clone();
                s.articles.retain(|a| !rel.contains(&a.id));
                s.passages = firstline::desk::knowledge::split(&s.articles);
                let learned = desk_learned(&source, &vectors, &name);
                let d = Desk::with(s, &vectors, learned).with_readings(&readings);
                let u = d.understand(text, &qv[text]);
                if firstline::desk::inquiry::escalation(&u, true).is_some() {
                    continue;
                }
                if let Some(a) = d.answer(text, &qv[text], &u) {
                    println!(
                        "DUMP\t{name}\tablated\t1\t0\t{}\t{text}\t{}",
                        evidence(&u, Some(&a), None)
                            .iter()
                            .map(|x| format!("{x:.5}"))
                            .collect::<Vec<_>>()
                            .join(","),
                        a.text
                    );
                }
            }
        }
        println!(
            "== {name}: {} questions, {answerable_n} answerable: right {} ({:.3}) WRONG {} ({:.3}) held {} missed {} | R@1 {:.3} R@3 {:.3} R@5 {:.3}",
            qs.len(),
            c[0],
            c[0] as f64 / answerable_n as f64,
            c[1],
            c[1] as f64 / qs.len() as f64,
            c[2],
            c[3],
            r1 as f64 / n as f64,
            r3 as f64 / n as f64,
            r5 as f64 / n as f64
        );
        for (k, v) in &kinds {
            println!(
                "     {k:<10} right {} wrong {} held {} missed {}",
                v[0], v[1], v[2], v[3]
            );
        }
        for i in 0..4 {
            tot[i] += c[i];
        }
        tota += answerable_n;
    }
    let all: usize = tot.iter().sum();
    println!(
        "ALL {all}: resolved {:.3} wrong {:.4}",
        tot[0] as f64 / tota as f64,
        tot[1] as f64 / all as f64
    );
    let mut bins = [(0usize, 0f64, 0f64); 10];
    for (p, y) in &allspoken {
        let b = &mut bins[((p * 10.0) as usize).min(9)];
        b.0 += 1;
        b.1 += *p as f64;
        b.2 += *y as u8 as f64;
    }
    let ece: f64 = bins
        .iter()
        .filter(|b| b.0 > 0)
        .map(|b| (b.1 - b.2).abs() / allspoken.len() as f64)
        .sum();
    println!("ECE spoken {ece:.4}");
}

thread_local! { static L: std::cell::RefCell<HashMap<String, firstline::desk::Learned>> = Default::default(); }
fn desk_learned(
    s: &firstline::desk::DeskSource,
    v: &HashMap<String, Vec<f32>>,
    name: &str,
) -> firstline::desk::Learned {
    L.with(|l| {
        l.borrow_mut()
            .entry(name.to_string())
            .or_insert_with(|| firstline::desk::Learned::learn(s, v))
            .clone()
    })
}
