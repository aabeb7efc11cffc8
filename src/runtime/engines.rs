//! Engines by configuration: one importer of each engine's loader.

use crate::config::Config;
use crate::reason::Embedder;
use crate::reason::minilm::MiniLm;
use crate::speech::piper::Piper;
use crate::speech::silero::Silero;
use crate::speech::whisper::Whisper;

use super::line::MakeVad;
use super::models;
use super::pool::Engines;

/// The sentence encoder.
pub fn embedder() -> Result<Box<dyn Embedder>, String> {
    let dir = models::model_dir("minilm")?;
    Ok(Box::new(MiniLm::load(&dir)?))
}

/// Makes one worker's engines; weights are loaded once, here.
pub fn maker(
    config: &Config,
) -> Result<impl Fn() -> Result<Engines, String> + Send + Sync + 'static, String> {
    let whisper =
        Whisper::load(&models::whisper(&config.stt.model)?, 1).map_err(|e| e.to_string())?;
    let piper = Piper::load(
        &models::path(
            &format!("piper-{}", config.tts.voice),
            &format!("{}.onnx", config.tts.voice),
        )?,
        1,
    )
    .map_err(|e| e.to_string())?;
    let minilm = models::model_dir("minilm")?;
    Ok(move || {
        Ok(Engines {
            transcriber: Box::new(whisper.worker().map_err(|e| e.to_string())?),
            synthesizer: Box::new(piper.worker().map_err(|e| e.to_string())?),
            embedder: Some(Box::new(MiniLm::load(&minilm)?)),
        })
    })
}

/// Makes voice detectors, one a call.
pub fn vad() -> Result<MakeVad, String> {
    let silero = Silero::load(&models::path("silero-vad", "silero_vad_16k.onnx")?)
        .map_err(|e| e.to_string())?;
    Ok(Box::new(move || Ok(Box::new(silero.stream()))))
}
