import { UsageError } from '../base/errors.ts';
import type { Evidence } from './evidence.ts';
import type { Recording } from './record.ts';

/** Which executables a recording is of, and whether all of them were meant. */

/** What builds or starts programs rather than being one: its calls are recorded too. */
const TOOL_CHAINS: Readonly<Record<string, string>> = {
  go: 'the Go tool-chain',
  cargo: "Rust's tool-chain",
  make: 'make',
  npm: 'npm',
  npx: 'npx',
  yarn: 'yarn',
  pnpm: 'pnpm',
};
const SHELLS = ['sh', 'dash', 'bash', 'zsh', 'ksh', 'ash', 'busybox', 'mksh'];

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * What a person should know where tools were recorded along with the program: `go run`, `npm start`, `sh -c`.
 *
 * @param images - paths of all executables
 * @param path - the file that was executed: a script, where its interpreter is the first image
 * @returns undefined where nothing but the program ran
 */
export function toolChainNote({ images, path }: Pick<Recording, 'images' | 'path'>): string | undefined {
  const names = [path, ...images].map(baseName);
  const tools = names.flatMap((name) => (Object.hasOwn(TOOL_CHAINS, name) ? (TOOL_CHAINS[name] as string) : []));
  const shells =
    images.length > 1
      ? images
          .map(baseName)
          .filter((name) => SHELLS.includes(name))
          .map((name) => `the shell ${name}`)
      : [];
  const [first, ...more] = new Set([...tools, ...shells]);
  if (first === undefined) return undefined;
  const subject = [first, ...more].join(' and ');
  return `${subject} ${more.length > 0 ? 'are' : 'is'} recorded too: --exe NAME keeps one executable of ${images.map(baseName).join(', ')}`;
}

/**
 * Keeps what one executable called.
 *
 * @param wanted - its path, or the last part of it
 * @returns undefined where none of that name ran
 */
export function onlyExecutable<
  R extends { readonly evidence: readonly Evidence[]; readonly images: readonly string[] },
>(recording: R, wanted: string): (R & { readonly path: string }) | undefined {
  const images = recording.images.filter((image) => image === wanted || baseName(image) === wanted);
  const [path] = images;
  if (path === undefined) return undefined;
  const evidence = recording.evidence.filter(({ exe }) => images.includes(exe));
  return { ...recording, evidence, images, path };
}

/**
 * @param outcome - what became of the rest, for the message
 * @throws {UsageError} `no_such_executable` with those that were seen
 */
export function keepExecutable<
  R extends { readonly evidence: readonly Evidence[]; readonly images: readonly string[] },
>(recording: R, wanted: string, outcome = ''): R {
  const kept = onlyExecutable(recording, wanted);
  if (kept) return kept;
  const seen = recording.images.join(', ');
  throw new UsageError(
    'no_such_executable',
    `Cannot keep "${wanted}": no executable of that name ran: seen were ${seen}${outcome}`,
  );
}
