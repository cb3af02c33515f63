import { readFileSync } from 'node:fs';

/** The names of users in /etc/passwd, by id; empty where it cannot be read. Directories (LDAP and its kin) are not asked. */
export function userNames(): ReadonlyMap<number, string> {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    const users = lines.map((line) => line.split(':')).filter(([name, , uid]) => name && /^\d+$/.test(uid ?? ''));
    // The first of several names is the one that getpwuid(3) gives.
    return new Map(users.reverse().map(([name = '', , uid]) => [Number(uid), name]));
  } catch {
    return new Map();
  }
}
