//! Each vendor's shape against a stand-in on loopback that checks what it is sent as the vendor's pages have it, and answers in
//! chunks (RFC 9112, 7.1) with pauses, so that streaming is seen to stream.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::audio::RATE;
use crate::speech::{Hints, Synthesizer, Transcriber};

/// A request as it came.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v.as_str())
    }
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the stand-in does with a request.
enum Answer {
    /// Status, content type, body at once.
    Whole(u16, &'static str, Vec<u8>),
    /// 200, pieces with a pause before each; then the end, or a connection that breaks.
    Pieces(Vec<Vec<u8>>, Duration, bool),
    Silence(Duration),
}

/// Answers every request by `answer`, one connection at a time; the requests come out of the receiver.
fn stand_in(answer: impl Fn(&Asked) -> Answer + Send + 'static) -> (Url, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (to, asked) = sync_channel(16);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { break };
            // A client that gives up breaks the connection; the next one is served.
            let _ = serve(stream, &answer, &to);
        }
    });
    (url, asked)
}

fn serve(
    stream: TcpStream,
    answer: &impl Fn(&Asked) -> Answer,
    to: &std::sync::mpsc::SyncSender<Asked>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut asked = Asked {
            line: line.trim_end().to_owned(),
            headers,
            body: Vec::new(),
        };
        let length: usize = asked.header("content-length").parse().unwrap_or(0);
        asked.body = vec![0; length];
        reader.read_exact(&mut asked.body)?;
        let what = answer(&asked);
        let _ = to.try_send(asked);
        match what {
            Answer::Whole(status, kind, body) => {
                write!(
                    out,
                    "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                )?;
                out.write_all(&body)?;
            }
            Answer::Pieces(pieces, pause, ends) => {
                write!(
                    out,
                    "HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\nTransfer-Encoding: chunked\r\n\r\n"
                )?;
                for piece in pieces {
                    std::thread::sleep(pause);
                    write!(out, "{:x}\r\n", piece.len())?;
                    out.write_all(&piece)?;
                    out.write_all(b"\r\n")?;
                    out.flush()?;
                }
                if !ends {
                    return out.shutdown(std::net::Shutdown::Both);
                }
                out.write_all(b"0\r\n\r\n")?;
            }
            Answer::Silence(time) => std::thread::sleep(time),
        }
    }
}

fn tone(ms: usize, rate: u32, level: f32) -> Vec<i16> {
    (0..ms * rate as usize / 1000)
        .map(|i| {
            ((i as f32 * 300.0 * std::f32::consts::TAU / rate as f32).sin() * level * 32_767.0)
                as i16
        })
        .collect()
}

fn bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|s| s.to_le_bytes()).collect()
}

fn service(name: &'static str, base: &Url, model: &str, patience_ms: u64) -> Service {
    Service {
        name,
        base: base.clone(),
        key: Some("k-123".into()),
        model: model.into(),
        patience: Duration::from_millis(patience_ms),
    }
}

/// One second of speech-like sound in five pieces of odd sizes, 40 ms apart, at the vendor's rate.
fn second(rate: u32) -> Answer {
    let raw = bytes(&tone(1000, rate, 0.05));
    let cut = (raw.len() / 5) | 1;
    Answer::Pieces(
        raw.chunks(cut).map(<[u8]>::to_vec).collect(),
        Duration::from_millis(40),
        true,
    )
}

#[test]
fn every_voice_is_asked_as_its_vendor_says_and_streams() {
    use speak::{RemoteVoice, Vendor};
    for vendor in Vendor::NAMES.map(|n| Vendor::read(n).unwrap()) {
        let rate = if vendor == Vendor::OpenAi {
            24_000
        } else {
            RATE
        };
        let (base, asked) = stand_in(move |_| second(rate));
        let service = service(vendor.name(), &base, vendor.usual_model(), 2000);
        let mut voice = RemoteVoice::new(vendor, service, "voice-7", "en").unwrap();
        let (mut pieces, mut samples) = (0, Vec::new());
        let begun = Instant::now();
        let mut first = None;
        voice
            .stream("Your payment is due on Friday.", &mut |pcm| {
                first.get_or_insert(begun.elapsed());
                pieces += 1;
                samples.extend_from_slice(pcm);
                true
            })
            .unwrap();
        let whole = begun.elapsed();
        assert!(pieces >= 3, "{vendor:?}: {pieces} pieces");
        assert!(
            first.unwrap() < whole - Duration::from_millis(60),
            "{vendor:?}"
        );
        let ms = samples.len() / 16;
        assert!((960..=1040).contains(&ms), "{vendor:?}: {ms} ms");
        // A quiet voice is brought to the level of the line's own.
        let level = crate::audio::level::rms_dbfs(&samples[3200..12_800]);
        assert!((level + 20.0).abs() < 2.0, "{vendor:?}: {level} dB");
        let step = samples.windows(2).map(|w| (w[1] - w[0]).abs()).max();
        assert!(step < Some(1500), "{vendor:?}: a click of {step:?}");

        let asked = asked.recv().unwrap();
        let body = asked.json();
        let text = "Your payment is due on Friday.";
        match vendor {
            Vendor::OpenAi => {
                assert_eq!(asked.line, "POST /audio/speech HTTP/1.1");
                assert_eq!(asked.header("authorization"), "Bearer k-123");
                assert_eq!(
                    body,
                    json!({"model": "gpt-4o-mini-tts", "voice": "voice-7", "input": text, "response_format": "pcm"})
                );
            }
            Vendor::ElevenLabs => {
                assert_eq!(
                    asked.line,
                    "POST /v1/text-to-speech/voice-7/stream?output_format=pcm_16000 HTTP/1.1"
                );
                assert_eq!(asked.header("xi-api-key"), "k-123");
                assert_eq!(body, json!({"text": text, "model_id": "eleven_flash_v2_5"}));
            }
            Vendor::Deepgram => {
                assert_eq!(
                    asked.line,
                    "POST /v1/speak?model=voice-7&encoding=linear16&sample_rate=16000&container=none HTTP/1.1"
                );
                assert_eq!(asked.header("authorization"), "Token k-123");
                assert_eq!(body, json!({ "text": text }));
            }
            Vendor::Cartesia => {
                assert_eq!(asked.line, "POST /tts/bytes HTTP/1.1");
                assert_eq!(asked.header("authorization"), "Bearer k-123");
                assert_eq!(asked.header("cartesia-version"), "2025-04-16");
                assert_eq!(body["transcript"], text);
                assert_eq!(body["voice"], json!({"mode": "id", "id": "voice-7"}));
                assert_eq!(
                    body["output_format"],
                    json!({"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16000})
                );
            }
        }
        assert_eq!(asked.header("content-type"), "application/json");
    }
}

#[test]
fn what_goes_wrong_is_said_in_a_sentence_and_in_time() {
    use speak::{RemoteVoice, Vendor};
    let whole =
        |status, body: Value| Answer::Whole(status, "application/json", body.to_string().into());
    let cases: Vec<(Box<dyn Fn(&Asked) -> Answer + Send>, &str, bool)> = vec![
        (
            Box::new(move |_| {
                whole(
                    401,
                    json!({"error": {"message": "Incorrect API key provided"}}),
                )
            }),
            "refused the key (401 Unauthorized: Incorrect API key provided); check the variable",
            true,
        ),
        (
            Box::new(move |_| {
                whole(
                    422,
                    json!({"detail": {"status": "x", "message": "no such voice"}}),
                )
            }),
            "no such voice); check base_url, model and voice",
            true,
        ),
        (
            Box::new(move |_| whole(429, json!({"err_code": "TOO_MANY", "err_msg": "slow down"}))),
            "wants fewer requests (429 Too Many Requests: slow down)",
            false,
        ),
        (
            Box::new(|_| Answer::Whole(502, "text/html", b"<html>bad</html>".to_vec())),
            "answered 502 Bad Gateway",
            false,
        ),
        (
            Box::new(|_| Answer::Silence(Duration::from_millis(900))),
            "gave no answer in time",
            false,
        ),
        (
            // The head comes at once, the sound does not.
            Box::new(|_| Answer::Pieces(vec![vec![0; 2]], Duration::from_millis(900), true)),
            "kept the caller waiting",
            false,
        ),
        (
            Box::new(|_| Answer::Pieces(vec![bytes(&tone(400, RATE, 0.1))], Duration::ZERO, false)),
            "broke off",
            false,
        ),
        (
            Box::new(|_| Answer::Pieces(vec![], Duration::ZERO, true)),
            "sent no sound",
            false,
        ),
    ];
    for (answer, expected, lasting) in cases {
        let (base, _asked) = stand_in(answer);
        let service = service("cartesia", &base, "sonic-3", 300);
        let mut voice = RemoteVoice::new(Vendor::Cartesia, service, "v", "en").unwrap();
        let begun = Instant::now();
        let error = voice.synthesize("Hello.").unwrap_err();
        assert!(
            begun.elapsed() < Duration::from_millis(750),
            "{expected}: {:?}",
            begun.elapsed()
        );
        let said = error.to_string();
        assert!(
            said.starts_with("cartesia ") && said.contains(expected),
            "{said}"
        );
        assert_eq!(matches!(error, SpeechError::Model(_)), lasting, "{said}");
        assert!(!said.contains("k-123"), "the key is in the message");
    }
    // Nobody there at all.
    let closed = Url::parse("http://127.0.0.1:1").unwrap();
    let service = service("openai", &closed, "m", 300);
    let mut voice = RemoteVoice::new(Vendor::OpenAi, service, "v", "en").unwrap();
    let said = voice.synthesize("Hello.").unwrap_err().to_string();
    assert!(said.starts_with("openai cannot be reached: "), "{said}");
}

#[test]
fn openai_hears_a_form_with_the_sound_in_it() {
    let (base, asked) = stand_in(|_| {
        let answer = json!({
            "text": " Move my payment. ",
            "logprobs": [{"token": "Move", "logprob": -0.1, "bytes": []}, {"token": " my", "logprob": -0.3, "bytes": []}],
            "usage": {"type": "tokens", "input_tokens": 14},
        });
        Answer::Whole(200, "application/json", answer.to_string().into())
    });
    let base = base.join("v1/").unwrap();
    let service = service("openai", &base, "gpt-4o-mini-transcribe", 2000);
    let mut ear = hear::RemoteEar::new(hear::Vendor::OpenAi, service).unwrap();
    let pcm = tone(700, RATE, 0.2);
    let hints = Hints {
        prompt: Some("Larch Pay, Flex Plan.".into()),
        language: Some("en".into()),
        ..Hints::default()
    };
    let heard = ear.transcribe(&pcm, &hints).unwrap();
    assert_eq!(heard.text, "Move my payment.");
    assert!((heard.avg_logprob + 0.2).abs() < 1e-5);
    assert_eq!((heard.words.len(), heard.audio_ms), (3, 700));

    let asked = asked.recv().unwrap();
    assert_eq!(asked.line, "POST /v1/audio/transcriptions HTTP/1.1");
    assert_eq!(asked.header("authorization"), "Bearer k-123");
    let kind = asked.header("content-type");
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let text = asked.text();
    let fields: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert!(fields.first().unwrap().is_empty() && fields.last().unwrap().starts_with("--"));
    let field = |name: &str| {
        fields
            .iter()
            .find(|f| f.contains(&format!("name=\"{name}\"")))
            .map(|f| f.split("\r\n\r\n").nth(1).unwrap().trim_end().to_owned())
    };
    assert_eq!(field("model").as_deref(), Some("gpt-4o-mini-transcribe"));
    assert_eq!(field("response_format").as_deref(), Some("json"));
    assert_eq!(field("include[]").as_deref(), Some("logprobs"));
    assert_eq!(field("language").as_deref(), Some("en"));
    assert_eq!(field("prompt").as_deref(), Some("Larch Pay, Flex Plan."));
    assert!(text.contains("filename=\"utterance.wav\"\r\nContent-Type: audio/wav"));
    let at = asked.body.windows(4).position(|w| w == b"RIFF").unwrap();
    let end = asked.body.len() - boundary.len() - 8;
    let wav = crate::audio::wav::read(&asked.body[at..end]).unwrap();
    assert_eq!(wav.mono_at(RATE), pcm);

    // Silence is not worth a request.
    assert_eq!(ear.transcribe(&[0; 16_000], &hints).unwrap().text, "");
}

#[test]
fn deepgram_hears_words_with_times() {
    let (base, asked) = stand_in(|_| {
        let answer = json!({
            "metadata": {"request_id": "r"},
            "results": {"channels": [{"detected_language": "es", "alternatives": [{
                "transcript": "Hola, buenas.", "confidence": 0.98,
                "words": [
                    {"word": "hola", "start": 0.08, "end": 0.32, "confidence": 0.9, "punctuated_word": "Hola,"},
                    {"word": "buenas", "start": 0.32, "end": 0.79, "confidence": 0.8, "punctuated_word": "buenas."},
                ],
            }]}]},
        });
        Answer::Whole(200, "application/json", answer.to_string().into())
    });
    let service = service("deepgram", &base, "nova-3", 2000);
    let mut ear = hear::RemoteEar::new(hear::Vendor::Deepgram, service).unwrap();
    let hints = Hints {
        prompt: Some("Larch Pay, Flex Plan.".into()),
        ..Hints::default()
    };
    let heard = ear.transcribe(&tone(800, RATE, 0.2), &hints).unwrap();
    assert_eq!(heard.text, "Hola, buenas.");
    assert_eq!(heard.language.as_deref(), Some("es"));
    assert_eq!((heard.words[1].start_ms, heard.words[1].end_ms), (320, 790));
    assert!((heard.words[1].p - 0.8).abs() < 1e-6);
    let asked = asked.recv().unwrap();
    assert!(
        asked.line.starts_with("POST /v1/listen?model=nova-3&"),
        "{}",
        asked.line
    );
    for part in [
        "detect_language=true",
        "keyterm=Larch+Pay",
        "keyterm=Flex+Plan",
    ] {
        assert!(asked.line.contains(part), "{part} in {}", asked.line);
    }
    assert_eq!(asked.header("authorization"), "Token k-123");
    assert_eq!(asked.header("content-type"), "audio/wav");
    assert!(asked.body.starts_with(b"RIFF"));

    // Half an answer is an error in a sentence, not a transcript.
    let (base, _asked) =
        stand_in(|_| Answer::Whole(200, "application/json", b"{\"results\":".to_vec()));
    let service = self::service("deepgram", &base, "nova-3", 500);
    let mut ear = hear::RemoteEar::new(hear::Vendor::Deepgram, service).unwrap();
    let said = ear
        .transcribe(&tone(800, RATE, 0.2), &Hints::default())
        .unwrap_err()
        .to_string();
    assert!(said.contains("is no transcript"), "{said}");
}
