//! Silero VAD v6 in rten, streaming: windows of 512 samples with the last 64 of the window before, and a state carried along.
//! Shapes as in Silero's own wrapper (`OnnxWrapper` in `utils_vad.py`).

use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::{SpeechError, VoiceActivity};

/// Samples of one window: 32 ms.
const WINDOW: usize = 512;
/// Samples of the window before that are shown again.
const CONTEXT: usize = 64;
/// Numbers of state: two layers of 128.
const STATE: usize = 2 * 128;

/// Loaded weights, shared by any number of streams.
#[derive(Clone)]
pub struct Silero {
    model: Arc<Model>,
    input: NodeId,
    state: NodeId,
    rate: NodeId,
    output: NodeId,
    state_out: NodeId,
}

impl Silero {
    /// Loads `silero_vad_16k.onnx`.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where the file is not there or not this model.
    pub fn load(path: &Path) -> Result<Self, SpeechError> {
        let bad = |why: &str| {
            SpeechError::Model(format!(
                "{}: {why}; fetch it with `firstline models pull silero-vad`",
                path.display()
            ))
        };
        let model = Model::load_file(path).map_err(|e| bad(&e.to_string()))?;
        let node = |name: &str| {
            model
                .node_id(name)
                .map_err(|_| bad("it is not Silero's voice activity model"))
        };
        Ok(Self {
            input: node("input")?,
            state: node("state")?,
            rate: node("sr")?,
            output: node("output")?,
            state_out: node("stateN")?,
            model: Arc::new(model),
        })
    }

    /// A stream for one leg.
    pub fn stream(&self) -> SileroStream {
        SileroStream {
            model: self.clone(),
            // One thread of its own: a window is half a millisecond of work, and streams must not wait for each other.
            pool: Arc::new(ThreadPool::with_num_threads(1)),
            heard: vec![0.0; CONTEXT],
            state: vec![0.0; STATE],
            latest: 0.0,
        }
    }
}

/// Voice activity of one leg. The latest probability lags by up to 32 ms.
pub struct SileroStream {
    model: Silero,
    pool: Arc<ThreadPool>,
    /// The last window's end, then what has come since.
    heard: Vec<f32>,
    state: Vec<f32>,
    latest: f32,
}

impl SileroStream {
    fn window(&mut self) -> Option<f32> {
        let m = &self.model;
        let input = NdTensor::from_data(
            [1, CONTEXT + WINDOW],
            self.heard[..CONTEXT + WINDOW].to_vec(),
        );
        let state = NdTensor::from_data([2, 1, 128], std::mem::take(&mut self.state));
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        let [output, state]: [Value; 2] = m
            .model
            .run_n(
                vec![
                    (m.input, input.into()),
                    (m.state, state.into()),
                    (m.rate, Tensor::from(16_000i32).into()),
                ],
                [m.output, m.state_out],
                Some(options),
            )
            .ok()?;
        let output: Tensor<f32> = output.try_into().ok()?;
        let state: Tensor<f32> = state.try_into().ok()?;
        self.state = state.to_vec();
        if self.state.len() != STATE {
            return None;
        }
        output.iter().next().copied()
    }
}

impl VoiceActivity for SileroStream {
    fn push(&mut self, pcm: &[i16]) -> f32 {
        self.heard
            .extend(pcm.iter().map(|s| f32::from(*s) / 32_768.0));
        while self.heard.len() >= CONTEXT + WINDOW {
            match self.window() {
                Some(p) if p.is_finite() => self.latest = p.clamp(0.0, 1.0),
                // A model that fails says nothing of the sound; begin anew rather than carry a broken state along.
                _ => self.state = vec![0.0; STATE],
            }
            self.heard.drain(..WINDOW);
        }
        self.latest
    }
    fn reset(&mut self) {
        self.heard = vec![0.0; CONTEXT];
        self.state = vec![0.0; STATE];
        self.latest = 0.0;
    }
}
