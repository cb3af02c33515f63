/** Where the inputs of each arch lie. A further arch is one more line here and a line in src/facts/arches.ts. */
export const ARCHES = {
  x86_64: {
    uapi: 'x86-linux-any',
    unistd: 'unistd_64.h',
    target: 'x86_64-linux-musl',
    libc: 'x86_64-linux-musl',
    flags: [],
  },
  i386: { uapi: 'x86-linux-any', unistd: 'unistd_32.h', target: 'x86-linux-musl', libc: 'x86-linux-musl', flags: [] },
  x32: {
    uapi: 'x86-linux-any',
    unistd: 'unistd_x32.h',
    target: 'x86_64-linux-muslx32',
    libc: 'x86_64-linux-muslx32',
    flags: [],
  },
  aarch64: {
    uapi: 'aarch64-linux-any',
    unistd: 'unistd_64.h',
    target: 'aarch64-linux-musl',
    libc: 'aarch64-linux-musl',
    flags: [],
  },
};
