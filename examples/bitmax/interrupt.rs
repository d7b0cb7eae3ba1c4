//! What Ctrl-C does.

use std::sync::atomic::{AtomicBool, Ordering};

use bitmax::StreamHandle;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Does this when the program is interrupted or told to end, in place of ending at once. For one use a run.
pub(crate) fn on_interrupt(act: impl Fn() + Send + 'static) {
    let set = ctrlc::set_handler(move || {
        INTERRUPTED.store(true, Ordering::Relaxed);
        act();
    });
    if let Err(e) = set {
        log::warn!("interrupts end the program at once: {e}");
    }
}

/// Closes a stream when the program is interrupted, which ends whatever waits for it.
pub(crate) fn closes(stream: &StreamHandle) {
    let stream = stream.clone();
    on_interrupt(move || stream.close());
}

pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
