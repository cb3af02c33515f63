import { encodeProgram } from '../bpf/codec.ts';
import { BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W } from '../bpf/opcode.ts';
import { ARCHES } from '../facts/arches.ts';
import { SECCOMP_RET_TRACE, type SeccompData } from '../facts/seccomp.ts';
import { ProcessMemory, readMemory } from '../kernel/process.ts';
import { isCode32, numberIn, pointerIn, TracedTree } from '../kernel/traced-tree.ts';
import { ARGUMENTS, RBX, RDI } from '../kernel/tracee.ts';
import { abiOf, callKey } from './abi.ts';
import type { SelectorsByKey } from './arguments.ts';
import { Installers, mayInstall } from './installers.ts';
import { ProgressTeller } from './progress.ts';
import type { Observed, Progress } from './protocol.ts';
import { Readiness } from './readiness.ts';
import type { ReadyOptions } from './ready.ts';
import { Tally } from './tally.ts';

/** Counts the calls of a traced tree of processes, and lets each through. */

/** What our filter gives with SECCOMP_RET_TRACE: registers do not tell `int $0x80` of 64-bit code from `syscall`. */
const DATA_X86_64 = 0x5e1c;
const DATA_I386 = 0x5e1d;
const ENOSYS = 38;
const OFFSET_ARCH = 4;

/** The filter that stops every call for its tracer. */
export function traceAllFilter(): Uint8Array {
  return encodeProgram([
    { code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: OFFSET_ARCH },
    { code: BPF_JMP | BPF_JEQ | BPF_K, jt: 1, jf: 0, k: ARCHES.i386.token },
    { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: SECCOMP_RET_TRACE | DATA_X86_64 },
    { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: SECCOMP_RET_TRACE | DATA_I386 },
  ]);
}

/** The execve of the command was not stopped: an outer filter has an action for all calls that goes before SECCOMP_RET_TRACE. */
export class HiddenCalls extends Error {}

export class TraceLoop {
  readonly #tree = new TracedTree();
  readonly #tally: Tally;
  readonly #progress: ProgressTeller;
  readonly #installers = new Installers();
  readonly #readiness: Readiness;
  #hasCall = false;

  /** `launcher`: see ReceiveOptions; `tell`: see Progress; `ready`: what begins the service; `selectors`: see Tally. */
  constructor(
    launcher: string,
    tell: (progress: Progress) => void,
    { ready, selectors }: { readonly ready: ReadyOptions | undefined; readonly selectors: SelectorsByKey | undefined },
  ) {
    this.#tally = new Tally(launcher, selectors);
    this.#progress = new ProgressTeller(this.#tally, tell);
    this.#readiness = new Readiness(this.#tally, ready);
  }

  /** Attaches to the process that waits for it. @returns 0 or -errno */
  attach(pid: number): number {
    return this.#tree.seize(pid);
  }

  /** Serves calls until the last process of the tree is gone. Blocks its thread. @throws {HiddenCalls} {SyscallError} */
  run(): void {
    for (let stop = this.#tree.next(); stop !== undefined; stop = this.#tree.next()) {
      if (stop.kind === 'call') this.#serve(stop.tid);
      else if (!this.#hasCall) throw new HiddenCalls();
      this.#tree.resume(stop.tid);
      this.#progress.tellIfDue();
    }
  }

  /** What was seen so far. */
  result(): Observed {
    const { calls, boundary } = this.#tally;
    return {
      calls,
      boundary,
      results: this.#tally.results(),
      isSynchronous: false,
      installers: this.#installers.all(),
      ...this.#readiness.result(),
    };
  }

  #serve(tid: number): void {
    const registers = this.#tree.registers(tid);
    if (registers === undefined) return;
    this.#hasCall = true;
    const data = this.#tree.filterData(tid);
    const isForeign = data !== DATA_X86_64 && data !== DATA_I386;
    const isI386 = isForeign ? entersAsI386(tid, registers) : data === DATA_I386;
    const { token } = isI386 ? ARCHES.i386 : ARCHES.x86_64;
    const nr = numberIn(registers);
    const key = callKey(abiOf(token, nr) ?? 'x86_64', nr);
    if (mayInstall(key)) this.#installers.see(tid, dataIn(registers, token));
    const argument = (index: number) => dataIn(registers, token).args[index] ?? 0n;
    const isLast = this.#readiness.see({ tid, nr, token, argument });
    // Our own mark is a call that no kernel has: it fails as it shall.
    this.#tally.add(
      tid,
      nr,
      token,
      () => pointerIn(registers),
      argument,
      () => this.#tree.registers(tid) !== undefined,
    );
    if (isLast) this.#readiness.begin();
    if (isForeign) this.#tree.skipCall(tid, ENOSYS);
    else this.#keepTraced(tid, registers, key);
  }

  /** A process that was made with CLONE_UNTRACED would have no tracer, and so ENOSYS for all its calls: without the flag nothing else changes. */
  #keepTraced(tid: number, registers: Buffer, key: number): void {
    const place = CLONES.get(key);
    if (place === undefined) return;
    if ('register' in place) {
      const flags = registers.readUInt32LE(place.register);
      if ((flags & CLONE_UNTRACED) === 0) return;
      registers.writeUInt32LE((flags & ~CLONE_UNTRACED) >>> 0, place.register);
      this.#tree.setRegisters(tid);
    } else clearUntraced(tid, registers.readBigUInt64LE(place.address));
  }
}

/** Of a call that a filter of the program stopped, whose data says nothing: `int $0x80` is cd 80. */
function entersAsI386(tid: number, registers: Buffer): boolean {
  if (isCode32(registers)) return true;
  const [first, second] = readMemory(tid, pointerIn(registers) - 2n, 2) ?? [];
  return first === 0xcd && second === 0x80;
}

/** The call as filters see it. */
function dataIn(registers: Buffer, token: number): SeccompData {
  const isWide = token === ARCHES.x86_64.token;
  const places = isWide ? ARGUMENTS.x86_64 : ARGUMENTS.i386;
  const args = places.map((at) => (isWide ? registers.readBigUInt64LE(at) : BigInt(registers.readUInt32LE(at))));
  return { nr: numberIn(registers), arch: token, instructionPointer: pointerIn(registers), args };
}

const CLONE_UNTRACED = 0x80_0000;

/** Where clone(2) has its flags, and clone3(2) the address of a struct that begins with them. */
const CLONES: ReadonlyMap<number, { readonly register: number } | { readonly address: number }> = new Map([
  [callKey('x86_64', 56), { register: RDI }],
  [callKey('i386', 120), { register: RBX }],
  [callKey('x86_64', 435), { address: RDI }],
  [callKey('i386', 435), { address: RBX }],
]);

function clearUntraced(tid: number, address: bigint): void {
  const memory = ProcessMemory.open(tid);
  const bytes = memory?.read(address, 4);
  const view = bytes && new DataView(bytes.buffer);
  const flags = view?.getUint32(0, true) ?? 0;
  if (bytes && (flags & CLONE_UNTRACED) !== 0) {
    view?.setUint32(0, flags & ~CLONE_UNTRACED, true);
    memory?.write(address, bytes);
  }
  memory?.close();
}
