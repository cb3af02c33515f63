// The pool's threads start with the first work and wait for more.
require('./mark.cjs');
const crypto = require('node:crypto');
const zlib = require('node:zlib');
for (let index = 0; index < 12; index += 1) {
  crypto.pbkdf2('secret', 'salt', 20_000, 32, 'sha256', () => {});
  zlib.gzip(Buffer.alloc(300_000, index), () => {});
  crypto.randomBytes(100, () => {});
}
crypto.subtle.digest('SHA-256', new Uint8Array(1000));
crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
crypto.randomUUID();
