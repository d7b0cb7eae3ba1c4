//! Short ASCII text kept inline, so that what is made of it is `Copy` and needs no heap.

use std::fmt;

/// ASCII text of at most `N` bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text<const N: usize> {
    // Bytes past `len` are zero, so the derived comparisons are those of the text.
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Text<N> {
    /// The text, or `None` where it is empty, longer than `N` bytes, or holds anything but visible ASCII.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        let len = u8::try_from(text.len()).ok()?;
        let mut bytes = [0; N];
        let room = bytes.get_mut(..text.len())?;
        room.copy_from_slice(text.as_bytes());
        (visible && len > 0).then_some(Self { bytes, len })
    }

    pub(crate) fn as_str(&self) -> &str {
        let used = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        // cannot fail: `new` takes ASCII only
        std::str::from_utf8(used).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
