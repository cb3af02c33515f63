import { ARCHES } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { goSite } from './go-site.ts';
import { Images, type Place } from './modules.ts';
import { stackOf } from './stack.ts';

/** Where a call was made. */
export interface CallSite {
  /** The file that holds the instruction; undefined where the kernel does not say. */
  readonly module: string | undefined;
  /** The function that makes the call, in Go the first that is no mere wrapper of system calls; undefined when unsure. */
  readonly function: string | undefined;
  /** `runtime/sys_linux_amd64.s:54`, where the file says. */
  readonly source?: string | undefined;
  /**
   * In Go the first function behind it that is not of the standard library, with its line where that is sure: `main.main (main.go:12)`;
   * elsewhere the first that is not the C library's, with its file where that is not the module or program: `load (plugin.so)`.
   */
  readonly caller?: string | undefined;
  /** The module was built by Go. */
  readonly isGo?: boolean;
}

/** Files that are the C library: glibc's, also as several ones before 2.34, musl's, and their ld.so. */
const C_LIBRARY = /^(?:ld|libc|libpthread|librt|libdl|libanl|libresolv)(?:[-.][\w.-]*)?\.so(?:\.\d+)*$/;
/** Names that C reserves (C11, 7.1.3): in a static program the C library's own. */
const RESERVED = /^_/;
/** Standard libraries of Rust and C++, and what Rust wraps around every main function and thread. */
const STANDARD = /^<?&?(?:std|core|alloc|__rustc|__gnu_cxx)::/;

/** Finds call sites by mappings, symbols, Go's tables and .eh_frame; files are read once. */
export class CallSites {
  readonly #images = new Images();

  /** @param exe - path of the program, so that functions of its own need no file's name */
  find(tid: number, { instructionPointer: ip, arch, args: values }: SeccompData, exe: string | undefined): CallSite {
    const args = arch === ARCHES.x86_64.token ? values : [];
    const placeOf = this.#images.placesOf(tid);
    // The instruction itself: what follows it may be another function.
    const place = placeOf(ip - 1n);
    if (place?.image === undefined) return { module: place?.module, function: undefined };
    const { module, image, address } = place;
    const goPlace = image.go?.placeOf(address);
    if (goPlace && image.go) return { module, isGo: true, ...goSite(tid, image.go, goPlace, ip - 1n, address) };
    const caller = callerOf(stackOf(tid, ip, args, placeOf));
    const name = caller && nameOf(caller);
    const isHome = caller?.module === module || caller?.path === exe;
    return {
      module,
      function: nameOf(place),
      caller: name === undefined || isHome ? name : `${name} (${caller?.module})`,
    };
  }
}

function nameOf({ image, address }: Place): string | undefined {
  return image?.go?.placeOf(address)?.function ?? image?.functionAt(address);
}

/** The frame that asked for the call: behind the C library, and behind a standard library where a named one is there. */
function callerOf(frames: Iterable<Place>): Place | undefined {
  let made: Place | undefined;
  let first: Place | undefined;
  for (const frame of frames) {
    const name = nameOf(frame);
    const isLibrary = C_LIBRARY.test(frame.module) || (frame.module === made?.module && RESERVED.test(name ?? ''));
    if (made === undefined) made = frame;
    else if (!STANDARD.test(name ?? '')) {
      if (first !== undefined) return name === undefined || isLibrary ? first : frame;
      if (!isLibrary) return frame;
    } else first ??= frame;
  }
  return first;
}
