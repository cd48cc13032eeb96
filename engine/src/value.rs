//! [`Value`]: the value of a key, where it lies.
//!
//! A value that was found is not copied: it stays in the block or memtable in which it was found,
//! and keeps that in memory. Invariant: the bytes lie in memory that the owner neither moves nor
//! changes nor frees before it is dropped.

#![expect(unsafe_code, reason = "a slice and its owner in one value is what this module is for")]

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;
use core::ptr::NonNull;
use std::sync::Arc;

/// What a value can lie in.
pub(crate) trait ValueOwner: Send + Sync {}

/// An owned value. Cheap to clone; may be sent to other threads and outlive its database.
///
/// It keeps the block (4 KiB, usually) or the memtable that it lies in from being freed. To keep a
/// few small values for long, copy them: `value.to_vec()`.
#[derive(Clone)]
pub struct Value {
    bytes: NonNull<[u8]>,
    _owner: Arc<dyn ValueOwner>,
}

// SAFETY: the bytes are never written to, so this is like an `Arc<[u8]>`; the owner is both.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    /// The value `bytes`.
    ///
    /// # Safety
    /// `bytes` lies in memory that `owner` neither moves nor changes nor frees before it is
    /// dropped.
    pub(crate) unsafe fn new(bytes: &[u8], owner: Arc<dyn ValueOwner>) -> Self {
        Value { bytes: NonNull::from(bytes), _owner: owner }
    }
}

impl Deref for Value {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: by the contract of `new`, valid and unchanged as long as the owner, which this
        // value holds.
        unsafe { self.bytes.as_ref() }
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Value {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl ValueOwner for Vec<u8> {}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        let owner = Arc::new(bytes);
        // SAFETY: nobody can change a `Vec` that is in an `Arc` which is not given away.
        unsafe { Value::new(&owner, Arc::<Vec<u8>>::clone(&owner)) }
    }
}

impl From<Value> for Vec<u8> {
    fn from(value: Value) -> Self {
        value.to_vec()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Value {}

impl PartialEq<[u8]> for Value {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for Value {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Value {
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == other[..]
    }
}

impl PartialEq<Vec<u8>> for Value {
    fn eq(&self, other: &Vec<u8>) -> bool {
        **self == **other
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

/// What one place that can hold entries knows of a user key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The newest visible entry has this value.
    Value(Value),
    /// The newest visible entry is a deletion: there is no older value to look for.
    Deleted,
    /// There is no visible entry here; an older place may have one.
    Absent,
}
