import { decodeHex } from './log.ts';

/** The columns of one line of strace, and what stands behind them. Source: strace(1) and its output, releases 4.8 to 6.1. */

export type StraceEvent =
  | { readonly kind: 'call'; readonly name: string; readonly rest: string }
  /** `<... read resumed>`; `rest` is what followed. */
  | { readonly kind: 'resumed'; readonly name: string; readonly rest: string }
  | { readonly kind: 'mode'; readonly mode: string }
  | { readonly kind: 'exit' | 'attach' | 'nothing' }
  | { readonly kind: 'denied'; readonly name: string };

export interface StraceLine {
  /** Absent where the line has none. */
  readonly pid?: string;
  /** Of `-n`. */
  readonly nr?: number;
  /** Of `-i`. */
  readonly address?: bigint;
  readonly event: StraceEvent;
}

const PID = /^(?:\[pid +(\d+)(?:<[^>]*>)?\] |(\d+)(?:<[^>]*>)? +(?![\d.]+ *$))/;
/** -t, -tt, -ttt, -r and both: clock, seconds, seconds since the last in brackets. */
const TIMES =
  /^ *(?:\d{4}-\d\d-\d\dT\S+ |\d\d:\d\d:\d\d(?:\.\d+)? |\d+\.\d+ )?(?:\( *\+ *\d+\.\d+\) |(?<= ) *\d+\.\d+ )?/;
const NUMBER = /^\[ *(\d+)\] /;
const ADDRESS = /^\[([0-9a-f]{8,16}|\?+)\] /;
const CALL = /^([a-z_][a-z0-9_]*)\(/;
const RESUMED = /^<\.\.\. ([a-z_][a-z0-9_]*) resumed> ?(.*)$/;
const MODE = /^(?:strace: )?\[ Process PID=(\d+) runs in (\S+?)(?: bit)? mode\. \]/;
const ATTACHED = /^(?:strace: )?Process (\d+) (attached|detached)/;
const DENIED = /^--- SIGSYS \{.*si_code=SYS_SECCOMP\b.*si_syscall=__NR_(\w+)/;

/** Reads one line; undefined where it is none of strace. */
export function parseStraceLine(text: string): StraceLine | undefined {
  const mode = MODE.exec(text);
  if (mode) return { pid: mode[1] as string, event: { kind: 'mode', mode: mode[2] as string } };
  const attached = ATTACHED.exec(text);
  if (attached) return { pid: attached[1] as string, event: { kind: attached[2] === 'attached' ? 'attach' : 'exit' } };
  const [column, inBrackets, plain] = PID.exec(text) ?? [''];
  let rest = text.slice(column.length).replace(TIMES, '');
  const number = NUMBER.exec(rest);
  if (number) rest = rest.slice(number[0].length);
  const address = ADDRESS.exec(rest);
  if (address) rest = rest.slice(address[0].length);
  const event = eventOf(rest);
  if (event === undefined) return undefined;
  const pid = inBrackets ?? plain;
  return {
    ...(pid !== undefined && { pid }),
    ...(number && { nr: Number(number[1]) }),
    ...(address && !address[1]?.startsWith('?') && { address: BigInt(`0x${address[1]}`) }),
    event,
  };
}

function eventOf(text: string): StraceEvent | undefined {
  const call = CALL.exec(text);
  if (call) return { kind: 'call', name: call[1] as string, rest: text.slice(call[0].length) };
  const resumed = RESUMED.exec(text);
  if (resumed) return { kind: 'resumed', name: resumed[1] as string, rest: resumed[2] as string };
  const mode = MODE.exec(text);
  if (mode) return { kind: 'mode', mode: mode[2] as string };
  const denied = DENIED.exec(text);
  if (denied) return { kind: 'denied', name: denied[1] as string };
  if (/^\+\+\+ (?:exited|killed)/.test(text)) return { kind: 'exit' };
  // Signals, stops, stack lines of -k, calls that could not be read, words of strace itself.
  if (/^(?:---|\+\+\+|\?\?\?\(|strace: | ?> |\s*$)/.test(text)) return { kind: 'nothing' };
  return undefined;
}

/** What a finished call returned: `0`, `-1`, `3`; undefined where it is not finished, or never returns. */
export function returned(rest: string): string | undefined {
  return /\) += (-?\d+)(?![\dx])[^"]*$/.exec(rest)?.[1];
}

/** The first string of the arguments; undefined where there is none, or an address in its place. */
export function firstString(rest: string): string | undefined {
  const quoted = /^[^"]*?"((?:[^"\\]|\\.)*)"/.exec(rest)?.[1];
  return quoted === undefined ? undefined : unescapeC(quoted);
}

/** The file behind the first descriptor, as `-y` shows it. */
export function fileOfDescriptor(rest: string): string | undefined {
  return /^\d+<([^>]*)>/.exec(rest)?.[1];
}

/** C's escapes, of bytes; `-x` writes them all as `\xNN`. */
function unescapeC(text: string): string {
  const LETTERS: Readonly<Record<string, string>> = {
    n: '0a',
    t: '09',
    r: '0d',
    v: '0b',
    f: '0c',
    '"': '22',
    '\\': '5c',
  };
  return text.replace(/(?:\\(?:x[0-9a-f]{2}|[0-7]{1,3}|.))+/g, (run) =>
    decodeHex(
      run.replace(/\\(?:x([0-9a-f]{2})|([0-7]{1,3})|(.))/g, (_all, hex, octal, letter) =>
        hex !== undefined
          ? hex
          : octal !== undefined
            ? Number.parseInt(octal, 8).toString(16).padStart(2, '0')
            : (LETTERS[letter] ?? letter.charCodeAt(0).toString(16).padStart(2, '0')),
      ),
    ),
  );
}
