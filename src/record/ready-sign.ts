import { constants } from 'node:os';
import { UsageError } from '../base/errors.ts';
import { closeDescriptor, linkOf } from '../kernel/descriptors.ts';
import { pipe } from '../kernel/spawn.ts';
import type { ReadyOptions, ReadySign } from '../observe/ready.ts';

/** The sign by which a command says that it is ready: as text, and what Selkie prepares for it. */

const WANTED = 'ready=listen, ready=fd:N, ready=line:TEXT, ready=signal:USR1 (or USR2) or ready=port:N';

/** Reads `ready=...`. @throws {UsageError} `bad_phase` */
export function parsePhase(text: string): ReadySign {
  const sign = parseSign(/^ready=(.*)$/s.exec(text)?.[1] ?? '');
  if (sign) return sign;
  throw new UsageError('bad_phase', `Cannot record the phase '${text}': wanted ${WANTED}`);
}

function parseSign(text: string): ReadySign | undefined {
  if (text === 'listen') return { kind: 'listen' };
  const [, kind, value = ''] = /^([a-z]+):(.+)$/.exec(text) ?? [];
  const number = /^[1-9]\d{0,4}$/.test(value) ? Number(value) : 0;
  if (kind === 'fd' && number > 2) return { kind, fd: number };
  if (kind === 'line') return { kind, text: value };
  if (kind === 'port' && number > 0 && number <= 0xffff) return { kind, port: number };
  const name = /^(?:SIG)?(USR[12])$/.exec(value)?.[1];
  if (kind === 'signal' && name) return { kind, signal: constants.signals[`SIG${name}` as 'SIGUSR1'] };
  return undefined;
}

/** What the worker is told, what the command is given, and the end of it. */
export interface PreparedSign {
  readonly options: ReadyOptions;
  readonly renamed?: { readonly from: number; readonly to: number };
  close(): void;
}

/**
 * Prepares a sign: listens for its signal, makes a pipe for its descriptor.
 *
 * @param descriptors - those of ours that the command has: a descriptor that is among them stays what it is
 */
export function prepareSign(sign: ReadySign, descriptors: readonly number[]): PreparedSign {
  const told = new Int32Array(new SharedArrayBuffer(4));
  if (sign.kind === 'signal') return hearSignal(sign, told);
  if (sign.kind !== 'fd') return { options: { sign, told }, close: () => {} };
  if (descriptors.includes(sign.fd)) {
    const link = linkOf(sign.fd);
    return { options: { sign, told, ...(link !== undefined && { link }) }, close: () => {} };
  }
  // Nobody reads it: it has room for 64 KiB, and what is written is seen in the calls.
  const [reading, writing] = pipe();
  const link = linkOf(writing);
  return {
    options: { sign, told, ...(link !== undefined && { link }) },
    renamed: { from: writing, to: sign.fd },
    close: () => {
      closeDescriptor(reading);
      closeDescriptor(writing);
    },
  };
}

function hearSignal(sign: ReadySign & { readonly kind: 'signal' }, told: Int32Array): PreparedSign {
  const name = sign.signal === constants.signals.SIGUSR1 ? 'SIGUSR1' : 'SIGUSR2';
  const hear = (): void => {
    Atomics.store(told, 0, 1);
  };
  process.on(name, hear);
  return { options: { sign, told }, close: () => void process.off(name, hear) };
}
