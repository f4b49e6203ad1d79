//! The memory of large results, kept for the next ones.
//!
//! The C library gives what is larger than 32 MiB back to the system when it is freed, and gets it
//! anew, page by page and cleared, for the next array of that size: more work than most pooling.
//! Here large results have an allocator of their own ([NEP 49]). What is freed is kept, marked so
//! that the system may take its pages whenever it wants them for something else, and given to the
//! next result of about that size.
//!
//! [NEP 49]: https://numpy.org/neps/nep-0049-data-allocation-strategies.html

use std::ffi::{c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi::{PyCapsule_GetPointer, PyCapsule_New, PyErr_Clear, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::threads;

/// Pages of this many bytes are asked for, and given if there are any.
const HUGE_PAGE: usize = 2 << 20;

/// Bytes before an array's memory that say how much there is: a page, of any size that is in use.
const HEADER: usize = 64 << 10;

/// Kept stretches of memory at most.
const MOST_BLOCKS: usize = 4;

/// Kept bytes at most.
static LIMIT: AtomicUsize = AtomicUsize::new(256 * MIB);

const MIB: usize = 1 << 20;

/// The most that may be asked for, in MiB.
const MOST_MIB: usize = 1 << 20;

/// What is kept, the oldest first.
static KEPT: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// Memory for an array: whole huge pages, if the system has them, and a header before them.
#[derive(Debug)]
struct Block {
    data: NonNull<u8>,
    capacity: usize,
}

// SAFETY: memory that nothing else refers to.
unsafe impl Send for Block {}

impl Block {
    /// Memory of the system, cleared.
    fn new(size: usize) -> Option<Self> {
        let capacity = size.checked_next_multiple_of(HUGE_PAGE)?;
        let len = capacity.checked_add(HUGE_PAGE + HEADER)?;
        let (access, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, of which the ends are given back that are not needed: `len` holds
        // a header and the whole pages after it wherever it begins.
        unsafe {
            let mapped = libc::mmap(ptr::null_mut(), len, access, flags, -1, 0);
            if mapped == libc::MAP_FAILED {
                return None;
            }
            let mapped = mapped.cast::<u8>();
            let data = mapped.add(HEADER + mapped.add(HEADER).align_offset(HUGE_PAGE));
            let (begin, end) = (data.sub(HEADER), data.add(capacity));
            for (first, last) in [(mapped, begin), (end, mapped.add(len))] {
                if first < last {
                    libc::munmap(first.cast(), last.offset_from_unsigned(first));
                }
            }
            libc::madvise(data.cast(), capacity, libc::MADV_HUGEPAGE);
            begin.cast::<usize>().write(capacity);
            NonNull::new(data).map(|data| Self { data, capacity })
        }
    }

    /// The block whose memory [`Self::into_data`] gave.
    ///
    /// # Safety
    /// It did, and no other block has been made from it since.
    unsafe fn of(data: NonNull<u8>) -> Self {
        // SAFETY: the caller's promise; the header stands before the memory.
        let capacity = unsafe { data.sub(HEADER).cast::<usize>().read() };
        Self { data, capacity }
    }

    /// The memory, which nothing frees any more.
    fn into_data(self) -> *mut c_void {
        std::mem::ManuallyDrop::new(self).data.as_ptr().cast()
    }

    /// Lets the system take the pages when it wants them: what they hold is not read again.
    fn lend(&self) {
        // SAFETY: whole pages, of which nothing is in use.
        unsafe { libc::madvise(self.data.as_ptr().cast(), self.capacity, libc::MADV_FREE) };
    }

    /// Whether an array of `size` bytes fits, and fills most of it.
    fn suits(&self, size: usize) -> bool {
        size <= self.capacity && self.capacity - size <= self.capacity / 8
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, header included, and nothing refers to it any more.
        unsafe { libc::munmap(self.data.sub(HEADER).as_ptr().cast(), self.capacity + HEADER) };
    }
}

/// Reads `POOLND_KEPT_MIB`; what is no number of MiB is named in a warning and left aside.
pub(crate) fn read_environment(py: Python<'_>) -> PyResult<()> {
    let number = threads::number_in_environment(py, "POOLND_KEPT_MIB", 0..=MOST_MIB, || {
        format!("up to {} MiB are kept", mib())
    })?;
    if let Some(number) = number {
        LIMIT.store(number * MIB, Ordering::Relaxed);
    }
    Ok(())
}

/// The most that is kept, in MiB.
pub(crate) fn mib() -> usize {
    LIMIT.load(Ordering::Relaxed) / MIB
}

/// Whether memory is kept for an array of `size` bytes. It is not cleared then.
pub(crate) fn has(size: usize) -> bool {
    KEPT.try_lock().is_ok_and(|kept| kept.iter().any(|block| block.suits(size)))
}

/// Takes what is kept for an array of `size` bytes.
///
/// A lock that some thread held when the process forked is never released in the child. Nothing
/// waits for it: there is other memory.
fn take(size: usize) -> Option<Block> {
    let mut kept = KEPT.try_lock().ok()?;
    let found = kept.iter().rposition(|block| block.suits(size))?;
    Some(kept.remove(found))
}

/// Keeps a block, and gives back the oldest ones that are too many then.
fn keep(block: Block) {
    let limit = LIMIT.load(Ordering::Relaxed);
    let Some(mut kept) = KEPT.try_lock().ok().filter(|_| block.capacity <= limit) else { return };
    block.lend();
    kept.push(block);
    while kept.len() > MOST_BLOCKS || kept.iter().map(|block| block.capacity).sum::<usize>() > limit
    {
        drop(kept.remove(0));
    }
}

/// New memory; what is kept makes room for it if need be.
fn allocate(size: usize) -> Option<Block> {
    Block::new(size).or_else(|| {
        let kept = std::mem::take(&mut *KEPT.try_lock().ok()?);
        drop(kept);
        Block::new(size)
    })
}

extern "C" fn malloc(_: *mut c_void, size: usize) -> *mut c_void {
    take(size).or_else(|| allocate(size)).map_or(ptr::null_mut(), Block::into_data)
}

extern "C" fn calloc(_: *mut c_void, elements: usize, size: usize) -> *mut c_void {
    let block = elements.checked_mul(size).and_then(allocate);
    block.map_or(ptr::null_mut(), Block::into_data)
}

extern "C" fn realloc(_: *mut c_void, data: *mut c_void, size: usize) -> *mut c_void {
    let Some(data) = NonNull::new(data.cast::<u8>()) else { return malloc(ptr::null_mut(), size) };
    let Some(new) = allocate(size.max(1)) else { return ptr::null_mut() };
    // SAFETY: NumPy's array, which it has not freed; the smaller of two blocks is copied.
    unsafe {
        let old = Block::of(data);
        new.data.copy_from_nonoverlapping(old.data, old.capacity.min(new.capacity));
        keep(old);
    }
    new.into_data()
}

extern "C" fn free(_: *mut c_void, data: *mut c_void, _: usize) {
    if let Some(data) = NonNull::new(data.cast::<u8>()) {
        // SAFETY: NumPy frees what it was given once.
        keep(unsafe { Block::of(data) });
    }
}

/// NumPy's `PyDataMem_Handler`.
#[repr(C)]
struct Handler {
    name: [c_char; 127],
    version: u8,
    context: *mut c_void,
    malloc: extern "C" fn(*mut c_void, usize) -> *mut c_void,
    calloc: extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    realloc: extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    free: extern "C" fn(*mut c_void, *mut c_void, usize),
}

// SAFETY: it is never written, and has no context.
unsafe impl Sync for Handler {}

static HANDLER: Handler = Handler {
    name: name(*b"poolnd"),
    version: 1,
    context: ptr::null_mut(),
    malloc,
    calloc,
    realloc,
    free,
};

/// A name, and the zeros that end it.
const fn name<const N: usize>(letters: [u8; N]) -> [c_char; 127] {
    let (mut name, mut i) = ([0; 127], 0);
    while i < N {
        name[i] = letters[i] as c_char;
        i += 1;
    }
    name
}

/// What NumPy has for setting allocators, and ours in the form that it wants.
struct Numpy {
    set: unsafe extern "C" fn(*mut PyObject) -> *mut PyObject,
    get: unsafe extern "C" fn() -> *mut PyObject,
    /// NumPy's own allocator.
    default: *mut PyObject,
    ours: Py<PyAny>,
}

// SAFETY: functions and objects of NumPy that live as long as the process.
unsafe impl Send for Numpy {}
// SAFETY: as above; all is called with the interpreter attached.
unsafe impl Sync for Numpy {}

impl Numpy {
    /// Looked up once; None if this NumPy's is nowhere to be found.
    fn of(py: Python<'_>) -> Option<&'static Self> {
        static NUMPY: PyOnceLock<Option<Numpy>> = PyOnceLock::new();
        NUMPY.get_or_init(py, || Self::find(py)).as_ref()
    }

    fn find(py: Python<'_>) -> Option<Self> {
        let module = py.import("numpy._core.multiarray");
        let module = module.or_else(|_| py.import("numpy.core.multiarray")).ok()?;
        let table = module.getattr("_ARRAY_API").ok()?;
        // SAFETY: the interpreter is attached; NumPy's table, a capsule without a name, has held
        // these functions and the allocator at these places since 1.22, and 1.26 is the oldest that
        // is supported. Our capsule refers to a static.
        unsafe {
            let table = PyCapsule_GetPointer(table.as_ptr(), ptr::null()).cast::<*mut c_void>();
            if table.is_null() {
                PyErr_Clear();
                return None;
            }
            let handler = ptr::from_ref(&HANDLER).cast_mut().cast();
            let ours = PyCapsule_New(handler, c"mem_handler".as_ptr(), None);
            Some(Self {
                set: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*mut PyObject) -> *mut PyObject,
                >(*table.add(304)),
                get: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *mut PyObject>(
                    *table.add(305),
                ),
                default: (*table.add(306)).cast::<*mut PyObject>().read(),
                ours: Bound::from_owned_ptr_or_opt(py, ours)?.unbind(),
            })
        }
    }
}

/// Makes an array whose memory is kept when it is freed.
///
/// An allocator that somebody else has set is left alone.
pub(crate) fn with_kept<T>(py: Python<'_>, make: impl FnOnce() -> T) -> T {
    if LIMIT.load(Ordering::Relaxed) == 0 {
        return make();
    }
    let Some(numpy) = Numpy::of(py) else { return make() };
    // SAFETY: the interpreter is attached; `get` and `set` return new references, or null with an
    // error that is of no use to the caller.
    unsafe {
        let Some(current) = Bound::from_owned_ptr_or_opt(py, (numpy.get)()) else {
            PyErr_Clear();
            return make();
        };
        if current.as_ptr() != numpy.default {
            return make();
        }
        if Bound::from_owned_ptr_or_opt(py, (numpy.set)(numpy.ours.as_ptr())).is_none() {
            PyErr_Clear();
        }
        let made = make();
        if Bound::from_owned_ptr_or_opt(py, (numpy.set)(current.as_ptr())).is_none() {
            PyErr_Clear();
        }
        made
    }
}
