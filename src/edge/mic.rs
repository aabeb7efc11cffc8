//! This computer's microphone and loudspeaker as one [`Leg`], by cpal: any rate, any number of channels, any sample format.
//!
//! The streams live on a thread of their own, which the sound system calls from; the leg and that thread share two short queues.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample};

use super::{EndCause, Ended, Inbound, Leg, LegInfo, Signal};
use crate::audio::echo::EchoSuppressor;
use crate::audio::resample::Resampler;
use crate::audio::{FRAME, RATE};

/// Sound that waits in either direction, at most: what is older is worthless in a conversation.
const MOST_HEARD: usize = FRAME * 15;
const MOST_SAID: usize = FRAME * 25;
/// Played only once this much waits, so that a late tick makes no gap.
const CUSHION: usize = FRAME * 3;

/// One device, for `--list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What `--input` and `--output` take.
    pub id: String,
    pub name: String,
    pub input: bool,
    pub output: bool,
}

/// What is used, as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Using {
    pub input: String,
    pub output: String,
}

/// Every device of this computer.
///
/// # Errors
/// A sentence where the sound system cannot be asked.
pub fn devices() -> Result<Vec<Device>, String> {
    let host = cpal::default_host();
    let found = host
        .devices()
        .map_err(|e| format!("the sound system gives no list of devices: {e}"))?;
    Ok(found
        .filter_map(|device| {
            let id = device.id().ok()?.to_string();
            let name = device
                .description()
                .map_or_else(|_| id.clone(), |d| d.name().to_owned());
            Some(Device {
                name,
                id,
                input: device.supports_input(),
                output: device.supports_output(),
            })
        })
        .filter(|d| d.input || d.output)
        .collect())
}

/// What the leg and the sound system's threads share. 16 kHz, one channel.
#[derive(Default)]
struct Queues {
    heard: Mutex<VecDeque<i16>>,
    said: Mutex<VecDeque<i16>>,
    flowing: AtomicBool,
    /// The loudspeaker has asked for sound.
    playing: AtomicBool,
    /// Whoever speaks here has hung up.
    hung_up: AtomicBool,
    /// A device went away.
    lost: Mutex<Option<String>>,
}

impl Queues {
    /// A device that is gone ends the call. A buffer that ran dry or over is a click, and the next one is fine.
    fn trouble(&self, what: &str, error: &cpal::Error) {
        match error.kind() {
            cpal::ErrorKind::DeviceNotAvailable
            | cpal::ErrorKind::HostUnavailable
            | cpal::ErrorKind::PermissionDenied
            | cpal::ErrorKind::StreamInvalidated => {
                *lock(&self.lost) = Some(format!("{what}: {error}"));
            }
            _ => tracing::debug!(what, %error, "the sound stumbled"),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The person at this computer.
pub struct MicLeg {
    queues: Arc<Queues>,
    echo: EchoSuppressor,
    signals: Vec<Signal>,
    level: Box<dyn Fn(f32) + Send>,
    from: Option<String>,
    /// The line has answered; it is heard once the loudspeaker runs.
    answered: bool,
    up: bool,
    media: bool,
    over: bool,
    frames: u64,
    /// Dropped with the leg: the streams' thread ends.
    _stop: std::sync::mpsc::Sender<()>,
}

/// Opens the devices; the default ones where none is named. `from`: the number of whoever speaks. `level`: told 20 ms by 20 ms how loud the microphone is, 0 to 1.
///
/// # Errors
/// A sentence that says which device is missing or refuses, and what to try.
pub fn open(
    input: Option<&str>,
    output: Option<&str>,
    from: Option<String>,
    level: Box<dyn Fn(f32) + Send>,
) -> Result<(MicLeg, Using), String> {
    let queues = Arc::new(Queues::default());
    let (stop, stopped) = std::sync::mpsc::channel();
    let (tell, told) = std::sync::mpsc::channel();
    let (input, output) = (input.map(str::to_owned), output.map(str::to_owned));
    let shared = queues.clone();
    // Streams may not move between threads on every system: they are made, kept and dropped on this one.
    std::thread::Builder::new()
        .name("sound".into())
        .spawn(
            move || match start(input.as_deref(), output.as_deref(), &shared) {
                Ok((streams, using)) => {
                    let _ = tell.send(Ok(using));
                    let _ = stopped.recv();
                    drop(streams);
                }
                Err(why) => drop(tell.send(Err(why))),
            },
        )
        .map_err(|e| format!("no thread for the sound: {e}"))?;
    let using = told
        .recv_timeout(Duration::from_secs(10))
        .map_err(|_| "the sound system did not answer within 10 seconds".to_owned())??;
    let leg = MicLeg {
        queues,
        echo: EchoSuppressor::new(),
        signals: Vec::new(),
        level,
        from,
        answered: false,
        up: false,
        media: false,
        over: false,
        frames: 0,
        _stop: stop,
    };
    Ok((leg, using))
}

fn refused(error: &cpal::Error, wanted: Option<&str>, name: &str, what: &str) -> String {
    match (error.kind(), wanted) {
        (cpal::ErrorKind::DeviceNotAvailable, None) => format!(
            "this computer has no {what} that can be opened: plug in a headset, or choose a device of `firstline mic --list`"
        ),
        _ => format!("the {what} {name} cannot be used: {error}"),
    }
}

/// Calls a function for the sample type that a format names.
macro_rules! by_format {
    ($format:expr, $name:ident($($arg:expr),*)) => {
        match $format {
            SampleFormat::I8 => $name::<i8>($($arg),*),
            SampleFormat::I16 => $name::<i16>($($arg),*),
            SampleFormat::I32 => $name::<i32>($($arg),*),
            SampleFormat::U8 => $name::<u8>($($arg),*),
            SampleFormat::U16 => $name::<u16>($($arg),*),
            SampleFormat::U32 => $name::<u32>($($arg),*),
            SampleFormat::F64 => $name::<f64>($($arg),*),
            _ => $name::<f32>($($arg),*),
        }
    };
}

impl MicLeg {
    /// A handle by which whoever speaks here hangs up.
    pub fn hang_up(&self) -> Box<dyn Fn() + Send> {
        let queues = self.queues.clone();
        Box::new(move || queues.hung_up.store(true, Ordering::Relaxed))
    }
}

type Streams = (cpal::Stream, cpal::Stream);

fn start(
    input: Option<&str>,
    output: Option<&str>,
    queues: &Arc<Queues>,
) -> Result<(Streams, Using), String> {
    let host = cpal::default_host();
    let pick = |wanted: Option<&str>, default: Option<cpal::Device>, what: &str| match wanted {
        None => default.ok_or_else(|| {
            format!("this computer has no {what}: plug one in, or see `firstline mic --list`")
        }),
        Some(wanted) => host
            .devices()
            .map_err(|e| e.to_string())?
            .find(|d| {
                d.id().is_ok_and(|id| id.to_string() == wanted)
                    || d.description().is_ok_and(|n| n.name() == wanted)
            })
            .ok_or_else(|| format!("no {what} is called \"{wanted}\": see `firstline mic --list`")),
    };
    let microphone = pick(input, host.default_input_device(), "microphone")?;
    let loudspeaker = pick(output, host.default_output_device(), "loudspeaker")?;
    let name = |device: &cpal::Device| {
        device
            .description()
            .map_or_else(|_| device.to_string(), |d| d.name().to_owned())
    };
    let using = Using {
        input: name(&microphone),
        output: name(&loudspeaker),
    };
    // The system's default may stand for a device that is not there.
    let in_config = microphone
        .default_input_config()
        .map_err(|e| refused(&e, input, &using.input, "microphone"))?;
    let out_config = loudspeaker
        .default_output_config()
        .map_err(|e| refused(&e, output, &using.output, "loudspeaker"))?;
    let recording = by_format!(
        in_config.sample_format(),
        record(&microphone, in_config, queues)
    )
    .map_err(|e| format!("{} cannot be recorded from: {e}", using.input))?;
    let playing = by_format!(
        out_config.sample_format(),
        play(&loudspeaker, out_config, queues)
    )
    .map_err(|e| format!("{} cannot be played to: {e}", using.output))?;
    recording
        .play()
        .and_then(|()| playing.play())
        .map_err(|e| format!("the sound does not start: {e}"))?;
    Ok(((recording, playing), using))
}

fn record<T>(
    device: &cpal::Device,
    config: cpal::SupportedStreamConfig,
    queues: &Arc<Queues>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels()).max(1);
    let mut to_ours = Resampler::new(config.sample_rate(), RATE);
    let (queues, lost) = (queues.clone(), queues.clone());
    let (mut mono, mut ours) = (Vec::new(), Vec::new());
    device.build_input_stream(
        config.into(),
        move |data: &[T], _: &cpal::InputCallbackInfo| {
            mono.clear();
            mono.extend(data.chunks(channels).map(|frame| {
                let sum: f32 = frame.iter().map(|s| f32::from_sample(*s)).sum();
                (sum / channels as f32 * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
            }));
            ours.clear();
            to_ours.process(&mono, &mut ours);
            let mut heard = lock(&queues.heard);
            heard.extend(&ours);
            let surplus = heard.len().saturating_sub(MOST_HEARD);
            heard.drain(..surplus);
        },
        move |error| lost.trouble("the microphone", &error),
        None,
    )
}

fn play<T>(
    device: &cpal::Device,
    config: cpal::SupportedStreamConfig,
    queues: &Arc<Queues>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + FromSample<f32>,
{
    let channels = usize::from(config.channels()).max(1);
    let mut from_ours = Resampler::new(RATE, config.sample_rate());
    let ratio = f64::from(RATE) / f64::from(config.sample_rate().max(1));
    let (queues, lost) = (queues.clone(), queues.clone());
    let (mut theirs, mut ready) = (Vec::new(), VecDeque::new());
    device.build_output_stream(
        config.into(),
        move |data: &mut [T], _: &cpal::OutputCallbackInfo| {
            let frames = data.len() / channels;
            queues.playing.store(true, Ordering::Relaxed);
            while ready.len() < frames {
                let missing = ((frames - ready.len()) as f64 * ratio).ceil() as usize + 1;
                let mut said = lock(&queues.said);
                if said.len() < missing {
                    queues.flowing.store(false, Ordering::Relaxed);
                } else if said.len() >= CUSHION {
                    queues.flowing.store(true, Ordering::Relaxed);
                }
                let flowing = queues.flowing.load(Ordering::Relaxed);
                let there = missing.min(said.len());
                let ours: Vec<i16> = match flowing {
                    true => said.drain(..there).collect(),
                    false => vec![0; missing],
                };
                drop(said);
                theirs.clear();
                from_ours.process(&ours, &mut theirs);
                ready.extend(&theirs);
            }
            for frame in data.chunks_mut(channels) {
                let sample = f32::from(ready.pop_front().unwrap_or(0)) / 32_768.0;
                frame.fill(T::from_sample(sample));
            }
        },
        move |error| lost.trouble("the loudspeaker", &error),
        None,
    )
}

impl Leg for MicLeg {
    fn pull(&mut self) -> Inbound {
        let mut inbound = Inbound::silent();
        if self.over {
            return inbound;
        }
        // Sound systems take up to a second to start: what is said before then would be cut.
        if self.answered && !self.up && self.queues.playing.load(Ordering::Relaxed) {
            self.up = true;
            // What was heard before is nobody's turn.
            lock(&self.queues.heard).clear();
            self.signals.push(Signal::Answered);
        }
        if self.queues.hung_up.load(Ordering::Relaxed) {
            self.signals.push(Signal::Ended(Ended {
                cause: EndCause::Remote,
                detail: "hung up".into(),
            }));
        }
        let mut heard = lock(&self.queues.heard);
        if heard.len() >= FRAME {
            for (slot, sample) in inbound.pcm.iter_mut().zip(heard.drain(..FRAME)) {
                *slot = sample;
            }
            inbound.live = true;
        }
        drop(heard);
        if inbound.live {
            self.frames += 1;
            let peak = inbound.pcm.iter().map(|s| s.unsigned_abs()).max();
            (self.level)(f32::from(peak.unwrap_or(0)) / 32_768.0);
            self.echo.heard(&mut inbound.pcm);
            if self.up && !self.media {
                self.media = true;
                self.signals.push(Signal::Media);
            }
        }
        if let Some(why) = lock(&self.queues.lost).take() {
            self.signals.push(Signal::Ended(Ended {
                cause: EndCause::Failed,
                detail: why,
            }));
        }
        inbound.signals = std::mem::take(&mut self.signals);
        self.over = inbound
            .signals
            .iter()
            .any(|s| matches!(s, Signal::Ended(_)));
        inbound
    }

    fn push(&mut self, pcm: &[i16; FRAME]) {
        if !self.up || self.over {
            return;
        }
        self.echo.played(pcm);
        let mut said = lock(&self.queues.said);
        said.extend(pcm);
        let surplus = said.len().saturating_sub(MOST_SAID);
        said.drain(..surplus);
    }

    fn ring(&mut self) {}

    fn answer(&mut self) {
        self.answered = true;
    }

    fn hangup(&mut self, _code: u16, reason: &str) {
        self.signals.push(Signal::Ended(Ended {
            cause: EndCause::Ours,
            detail: reason.to_owned(),
        }));
    }

    fn send_digit(&mut self, _key: char) {}

    fn clear(&mut self) -> u64 {
        let mut said = lock(&self.queues.said);
        let dropped = said.len() as u64 * 1_000 / u64::from(RATE);
        said.clear();
        dropped
    }

    fn unheard_ms(&self) -> u64 {
        lock(&self.queues.said).len() as u64 * 1_000 / u64::from(RATE)
    }

    fn info(&self) -> LegInfo {
        LegInfo {
            channel: "mic",
            from: self.from.clone(),
            vouched: true,
            codec: "L16".into(),
            packets_in: self.frames,
            ..LegInfo::default()
        }
    }
}
