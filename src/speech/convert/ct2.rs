//! CTranslate2's `model.bin`, file version 6: names, shapes and where their bytes lie.

use super::{ConvertError, refuse};

/// More variables than any Whisper model has (large-v3: about 1,300). A count beyond it is a damaged or hostile file.
const MOST_VARIABLES: u32 = 10_000;

/// How a variable's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F32,
    I8,
    I16,
    I32,
    F16,
    Bf16,
}

impl Dtype {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::F32,
            1 => Self::I8,
            2 => Self::I16,
            3 => Self::I32,
            4 => Self::F16,
            5 => Self::Bf16,
            _ => return None,
        })
    }
    const fn width(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }
}

/// One array of the file. `data` is exactly as long as `dims` and `dtype` say.
#[derive(Debug, Clone)]
pub struct Variable<'a> {
    pub name: &'a str,
    /// Outermost first; empty for a single number.
    pub dims: Vec<usize>,
    pub dtype: Dtype,
    pub data: &'a [u8],
}

impl Variable<'_> {
    /// The single whole number of a rank-0 variable.
    pub fn integer(&self) -> Option<i64> {
        match (self.dtype, self.data) {
            (Dtype::I8, [a]) => Some(i64::from(*a as i8)),
            (Dtype::I16, [a, b]) => Some(i64::from(i16::from_le_bytes([*a, *b]))),
            (Dtype::I32, [a, b, c, d]) => Some(i64::from(i32::from_le_bytes([*a, *b, *c, *d]))),
            _ => None,
        }
    }
}

/// A whole file, borrowed.
#[derive(Debug)]
pub struct Ct2Model<'a> {
    pub variables: Vec<Variable<'a>>,
}

impl<'a> Ct2Model<'a> {
    pub fn get(&self, name: &str) -> Result<&Variable<'a>, ConvertError> {
        match self.variables.iter().find(|v| v.name == name) {
            Some(v) => Ok(v),
            None => refuse(format!("the model file has no variable {name}")),
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], ConvertError> {
        match self.0.split_at_checked(n) {
            Some((head, tail)) => {
                self.0 = tail;
                Ok(head)
            }
            None => refuse(format!(
                "the model file ends early: {n} bytes wanted, {} left",
                self.0.len()
            )),
        }
    }
    fn u8(&mut self) -> Result<u8, ConvertError> {
        Ok(self.take(1)?[0])
    }
    fn u32(&mut self) -> Result<u32, ConvertError> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
    /// 16-bit length, counting the closing zero byte, then the text.
    fn text(&mut self) -> Result<&'a str, ConvertError> {
        let b = self.take(2)?;
        let bytes = self.take(usize::from(u16::from_le_bytes([b[0], b[1]])))?;
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => refuse("the model file holds a name that is not text"),
        }
    }
}

/// Reads the file's table of variables. Nothing is copied.
///
/// # Errors
/// Wrong version or kind of model; a length, count or type that does not add up; bytes missing or left over.
pub fn parse(bytes: &[u8]) -> Result<Ct2Model<'_>, ConvertError> {
    let mut r = Reader(bytes);
    let version = r.u32()?;
    if version != 6 {
        return refuse(format!("CTranslate2 file version {version} is not 6"));
    }
    let spec = r.text()?;
    if spec != "WhisperSpec" {
        return refuse("this is not a Whisper model of CTranslate2");
    }
    let revision = r.u32()?;
    if revision != 3 {
        return refuse(format!("WhisperSpec revision {revision} is not 3"));
    }
    let count = r.u32()?;
    if count > MOST_VARIABLES {
        return refuse(format!(
            "{count} variables are more than a Whisper model has"
        ));
    }
    let mut variables = Vec::new();
    for _ in 0..count {
        variables.push(variable(&mut r)?);
    }
    let aliases = r.u32()?;
    if aliases > MOST_VARIABLES {
        return refuse(format!(
            "{aliases} aliases are more than a Whisper model has"
        ));
    }
    for _ in 0..aliases {
        r.text()?;
        r.text()?;
    }
    if !r.0.is_empty() {
        return refuse(format!("{} bytes are left over after the model", r.0.len()));
    }
    Ok(Ct2Model { variables })
}

fn variable<'a>(r: &mut Reader<'a>) -> Result<Variable<'a>, ConvertError> {
    let name = r.text()?;
    let rank = r.u8()?;
    if rank > 4 {
        return refuse(format!("{name} has {rank} dimensions"));
    }
    let mut dims = Vec::with_capacity(usize::from(rank));
    for _ in 0..rank {
        dims.push(r.u32()? as usize);
    }
    let code = r.u8()?;
    let Some(dtype) = Dtype::from_byte(code) else {
        return refuse(format!("{name} is of unknown type {code}"));
    };
    let said = r.u32()? as usize;
    let wanted = dims
        .iter()
        .try_fold(dtype.width(), |n, d| n.checked_mul(*d));
    if wanted != Some(said) {
        return refuse(format!("{name} is not as long as its shape says"));
    }
    Ok(Variable {
        name,
        dims,
        dtype,
        data: r.take(said)?,
    })
}
