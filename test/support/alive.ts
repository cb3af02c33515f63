import { readdirSync, readFileSync } from 'node:fs';

/**
 * Command lines of the processes that still run with a variable in their environment, zombies left out: those of one test alone, whatever
 * else the machine does.
 *
 * @param mark - `NAME=value`
 */
export function aliveWith(mark: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark)) return [];
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`];
      } catch {
        // Gone by now, or gone but for its exit status.
        return [];
      }
    });
}
