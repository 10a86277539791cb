//! Debian's libpcap, as a second opinion: it is loaded at run time, and there is no test without it.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

use dbgctl_filter::{Instruction, LinkType};

/// `struct bpf_insn` is laid out as our own instruction is not promised to be.
#[repr(C)]
#[derive(Clone, Copy)]
struct RawInstruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// `struct bpf_program`.
#[repr(C)]
struct RawProgram {
    length: c_uint,
    instructions: *mut RawInstruction,
}

/// `struct pcap_pkthdr`.
#[repr(C)]
struct RawHeader {
    time: libc::timeval,
    captured: u32,
    length: u32,
}

type OpenDead = unsafe extern "C" fn(c_int, c_int) -> *mut c_void;
type OpenLive = unsafe extern "C" fn(*const c_char, c_int, c_int, c_int, *mut c_char) -> *mut c_void;
type Compile = unsafe extern "C" fn(*mut c_void, *mut RawProgram, *const c_char, c_int, u32) -> c_int;
type FreeCode = unsafe extern "C" fn(*mut RawProgram);
type GetError = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type OfflineFilter = unsafe extern "C" fn(*const RawProgram, *const RawHeader, *const u8) -> c_int;
type SetLinkType = unsafe extern "C" fn(*mut c_void, c_int) -> c_int;
type Close = unsafe extern "C" fn(*mut c_void);

/// The mask of a network that is not known.
const UNKNOWN_MASK: u32 = 0xffff_ffff;

/// The functions of the library.
#[derive(Clone, Copy)]
pub(crate) struct Libpcap {
    open_dead: OpenDead,
    open_live: OpenLive,
    compile: Compile,
    free_code: FreeCode,
    get_error: GetError,
    offline_filter: OfflineFilter,
    set_link_type: SetLinkType,
    close: Close,
}

impl Libpcap {
    /// `None`, and a line that says so, where the library is not installed.
    #[expect(clippy::print_stderr, reason = "a test that was left out says so")]
    pub(crate) fn load() -> Option<Self> {
        // SAFETY: the name is a C string. The library stays loaded, so that what is found in it stays valid.
        let library = unsafe { libc::dlopen(c"libpcap.so.0.8".as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            eprintln!(
                "skipped: there is no libpcap.so.0.8 to compare with; `cargo xtask bootstrap` installs it"
            );
            return None;
        }
        let symbol = |name: &CStr| {
            // SAFETY: the library is open, the name a C string.
            let address = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!address.is_null(), "libpcap has no {}", name.to_string_lossy());
            address
        };
        // SAFETY: these are functions of libpcap 1.x, whose types in pcap/pcap.h are those above.
        unsafe {
            Some(Self {
                open_dead: std::mem::transmute::<*mut c_void, OpenDead>(symbol(c"pcap_open_dead")),
                open_live: std::mem::transmute::<*mut c_void, OpenLive>(symbol(c"pcap_open_live")),
                compile: std::mem::transmute::<*mut c_void, Compile>(symbol(c"pcap_compile")),
                free_code: std::mem::transmute::<*mut c_void, FreeCode>(symbol(c"pcap_freecode")),
                get_error: std::mem::transmute::<*mut c_void, GetError>(symbol(c"pcap_geterr")),
                offline_filter: std::mem::transmute::<*mut c_void, OfflineFilter>(symbol(
                    c"pcap_offline_filter",
                )),
                set_link_type: std::mem::transmute::<*mut c_void, SetLinkType>(symbol(c"pcap_set_datalink")),
                close: std::mem::transmute::<*mut c_void, Close>(symbol(c"pcap_close")),
            })
        }
    }

    /// A handle that only compiles, for stored packets.
    pub(crate) fn dead(self, link: LinkType, snap_length: c_int) -> Handle {
        // SAFETY: takes two numbers and returns a handle, or null without memory.
        let handle = unsafe { (self.open_dead)(link.dlt(), snap_length) };
        assert!(!handle.is_null());
        Handle { library: self, handle }
    }

    /// A handle that captures on an interface, or why there is none: that takes CAP_NET_RAW.
    pub(crate) fn live(self, interface: &CStr, link: LinkType, snap_length: c_int) -> Result<Handle, String> {
        let mut error = [0; 256];
        // SAFETY: a C string, numbers, and a buffer of PCAP_ERRBUF_SIZE.
        let handle = unsafe { (self.open_live)(interface.as_ptr(), snap_length, 0, 10, error.as_mut_ptr()) };
        if handle.is_null() {
            // SAFETY: the library has put a C string there.
            return Err(unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned());
        }
        let handle = Handle { library: self, handle };
        // SAFETY: the handle is open.
        let result = unsafe { (self.set_link_type)(handle.handle, link.dlt()) };
        assert_eq!(result, 0, "{} has no link type {link:?}", interface.to_string_lossy());
        Ok(handle)
    }
}

/// What compiles.
pub(crate) struct Handle {
    library: Libpcap,
    handle: *mut c_void,
}

impl Handle {
    /// Compiles, or says why not.
    pub(crate) fn compile(&self, expression: &str, optimize: bool) -> Result<Theirs, String> {
        let text = CString::new(expression).map_err(|error| error.to_string())?;
        let mut raw = RawProgram { length: 0, instructions: std::ptr::null_mut() };
        // SAFETY: the handle is open, `raw` is for it to fill, the text a C string.
        let result = unsafe {
            (self.library.compile)(self.handle, &raw mut raw, text.as_ptr(), optimize.into(), UNKNOWN_MASK)
        };
        if result != 0 {
            // SAFETY: the handle is open; the text is its own and is copied before it changes.
            let message = unsafe { CStr::from_ptr((self.library.get_error)(self.handle)) };
            return Err(message.to_string_lossy().into_owned());
        }
        Ok(Theirs { library: self.library, raw })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened by this library and closed once.
        unsafe { (self.library.close)(self.handle) };
    }
}

/// A program of libpcap's.
pub(crate) struct Theirs {
    library: Libpcap,
    raw: RawProgram,
}

impl Theirs {
    /// How many bytes of the packet it wants.
    pub(crate) fn run(&self, packet: &[u8], wire_length: u32) -> u32 {
        let captured = u32::try_from(packet.len()).unwrap();
        let header =
            RawHeader { time: libc::timeval { tv_sec: 0, tv_usec: 0 }, captured, length: wire_length };
        // SAFETY: the program is one that was compiled, and the packet has as many bytes as the header says.
        let result =
            unsafe { (self.library.offline_filter)(&raw const self.raw, &raw const header, packet.as_ptr()) };
        result.cast_unsigned()
    }

    /// Its instructions.
    pub(crate) fn instructions(&self) -> Vec<Instruction> {
        // SAFETY: libpcap says how many there are.
        let raw = unsafe { std::slice::from_raw_parts(self.raw.instructions, self.raw.length as usize) };
        raw.iter().map(|raw| Instruction { code: raw.code, jt: raw.jt, jf: raw.jf, k: raw.k }).collect()
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        // SAFETY: filled by pcap_compile and freed once.
        unsafe { (self.library.free_code)(&raw mut self.raw) };
    }
}
