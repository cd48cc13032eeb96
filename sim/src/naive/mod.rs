//! placeholder
use crate::disk::Disk;
use crate::history::Entry;
/// Image.
#[derive(Debug, Default)]
pub struct Image {
    /// h
    pub highest_sequence: u64,
}
/// R.
#[derive(Debug)]
pub struct Recoverable {
    /// l
    pub log_entries: Vec<Entry>,
    /// t
    pub table_entries: Vec<Entry>,
}
impl Image {
    /// r
    pub fn read(_: &Disk, _: &str) -> Self {
        Self::default()
    }
    /// r
    pub fn recoverable(&self) -> Option<&Recoverable> {
        None
    }
}
