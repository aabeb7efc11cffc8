//! smart-turn v3 in rten: has the caller finished, by the sound of the last eight seconds? Input and output as in the model's
//! own wrapper (pipecat's `LocalSmartTurnAnalyzerV3`): a log-mel picture `[1, 80, 800]`, sound at its right end; out comes a
//! probability, though the model calls it logits.

use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::log_mel::{BANDS, LogMel};
use super::{SpeechError, TurnDetector};

/// Columns of the picture: 8 s.
const COLUMNS: usize = 800;

/// Loaded weights, shared by any number of workers.
#[derive(Clone)]
pub struct SmartTurn {
    model: Arc<Model>,
    mel: Arc<LogMel>,
    input: NodeId,
    output: NodeId,
    threads: usize,
}

impl SmartTurn {
    /// Loads `smart-turn-v3.2-cpu.onnx`. `threads`: for each worker.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where the file is not there or not this model.
    pub fn load(path: &Path, threads: usize) -> Result<Self, SpeechError> {
        let bad = |why: &str| {
            SpeechError::Model(format!(
                "{}: {why}; fetch it with `firstline models pull smart-turn`",
                path.display()
            ))
        };
        let model = Model::load_file(path).map_err(|e| bad(&e.to_string()))?;
        let node = |name: &str| {
            model
                .node_id(name)
                .map_err(|_| bad("it is not smart-turn v3"))
        };
        Ok(Self {
            input: node("input_features")?,
            output: node("logits")?,
            model: Arc::new(model),
            mel: Arc::new(LogMel::new(COLUMNS)),
            threads: threads.max(1),
        })
    }

    /// One thread's judge.
    pub fn worker(&self) -> SmartTurnJudge {
        SmartTurnJudge {
            pool: pool(self.threads),
            threads: self.threads,
            model: self.clone(),
        }
    }
}

fn pool(threads: usize) -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(threads))
}

/// One thread's judge; 130 to 300 ms of one core a question.
pub struct SmartTurnJudge {
    model: SmartTurn,
    pool: Arc<ThreadPool>,
    threads: usize,
}

impl TurnDetector for SmartTurnJudge {
    fn use_threads(&mut self, threads: usize) {
        let threads = threads.clamp(1, 4);
        if threads != self.threads {
            (self.pool, self.threads) = (pool(threads), threads);
        }
    }

    fn complete(&mut self, pcm: &[i16]) -> Result<f32, SpeechError> {
        let m = &self.model;
        let picture = NdTensor::from_data([1, BANDS, COLUMNS], m.mel.of_the_end(pcm));
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        let failed = |why: String| SpeechError::Engine(format!("the turn model failed: {why}"));
        let mut out = m
            .model
            .run(vec![(m.input, picture.into())], &[m.output], Some(options))
            .map_err(|e| failed(e.to_string()))?;
        let out: Tensor<f32> = out
            .remove(0)
            .try_into()
            .map_err(|_| failed("it gave no probability".into()))?;
        match out.iter().next() {
            Some(p) if p.is_finite() => Ok(p.clamp(0.0, 1.0)),
            _ => Err(failed("it gave no probability".into())),
        }
    }
}
