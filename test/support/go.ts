import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './selkie.ts';
import { missingTools } from './tools.ts';

/** The Go tool-chains that tests use: the newest on the PATH, and Debian's 1.19. */
export const GO_TOOLS: readonly { readonly label: string; readonly go: string; readonly here: boolean }[] = [
  { label: 'current Go', go: 'go', here: missingTools('go') === false },
  { label: 'Go 1.19', go: '/usr/lib/go-1.19/bin/go', here: existsSync('/usr/lib/go-1.19/bin/go') },
];

/**
 * Builds test/programs/PROGRAM to `output`.
 *
 * @param settings - cgo: link the C library (dynamic); flags: further words for `go build`
 */
export function buildGo(
  go: string,
  program: string,
  output: string,
  settings: { readonly cgo?: boolean; readonly flags?: readonly string[] } = {},
): void {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    CGO_ENABLED: settings.cgo ? '1' : '0',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '',
  };
  const words = ['build', ...(settings.flags ?? []), '-o', output, '.'];
  const result = spawnSync(go, words, { cwd: join(ROOT, 'test/programs', program), env, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`go build ${program}: ${result.stderr}`);
}
