import { damaged } from './bytes.ts';
import { DwarfCursor } from './dwarf.ts';

/**
 * Call frame instructions: what they say of one address. Sources: DWARF 5, 6.4 and 7.24; LSB Core, 10.5 (.eh_frame); gcc's
 * unwind-dw2.c for the GNU ones. Registers have DWARF's numbers: 7 is rsp, 16 the return address (psABI of x86-64, figure 3.36).
 */

/** Where the caller's value of a register is. `offset` counts bytes from the CFA. */
export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'same' }
  | { readonly kind: 'saved'; readonly offset: number }
  | { readonly kind: 'is'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'saved-by-expression'; readonly expression: Uint8Array }
  | { readonly kind: 'is-by-expression'; readonly expression: Uint8Array };

/** The canonical frame address: the caller's stack pointer. */
export type CfaRule = { readonly register: number; readonly offset: number } | { readonly expression: Uint8Array };

/** How to get from a function's frame to its caller's, at one address. */
export interface FrameRow {
  readonly cfa: CfaRule;
  /** What no rule names is kept where the ABI says that callees keep it, else unknown. */
  readonly rules: ReadonlyMap<number, RegisterRule>;
  readonly returnRegister: number;
  /** The frame of a signal: what it returns to is the interrupted instruction itself, not one after a call. */
  readonly isSignal: boolean;
}

/** What instructions are read with. */
export interface FrameContext {
  readonly bytes: Uint8Array;
  readonly bias: number;
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly pointerEncoding: number;
}

/** Offsets in the file, `end` exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

interface State {
  cfa: CfaRule | undefined;
  rules: Map<number, RegisterRule>;
}

/** Instructions that take a register and one factored or plain operand, by number. */
const UNDEFINED: RegisterRule = { kind: 'undefined' };
const SAME: RegisterRule = { kind: 'same' };

/**
 * Runs the common and a function's own instructions up to an address.
 *
 * @param start - the function's first address
 * @throws ElfError `elf_damaged`: an instruction that is not known, or contradicts itself
 */
export function runInstructions(
  context: FrameContext,
  common: Range,
  own: Range,
  start: number,
  address: number,
): Pick<FrameRow, 'cfa' | 'rules'> {
  const machine = new FrameMachine(context, address);
  machine.run(common, start);
  machine.keepInitial();
  machine.run(own, start);
  const { cfa, rules } = machine.state;
  if (cfa === undefined) throw damaged('.eh_frame defines no CFA');
  return { cfa, rules };
}

class FrameMachine {
  readonly #context: FrameContext;
  readonly #target: number;
  readonly #remembered: State[] = [];
  #initial: ReadonlyMap<number, RegisterRule> = new Map();
  #location = 0;
  state: State = { cfa: undefined, rules: new Map() };

  constructor(context: FrameContext, target: number) {
    this.#context = context;
    this.#target = target;
  }

  keepInitial(): void {
    this.#initial = new Map(this.state.rules);
  }

  run({ start, end }: Range, location: number): void {
    this.#location = location;
    const cursor = new DwarfCursor(this.#context.bytes, start, this.#context.bias);
    while (cursor.offset < end && this.#location <= this.#target) {
      const opcode = cursor.unsigned(1);
      const low = opcode & 0x3f;
      // DW_CFA_advance_loc, offset and restore hold their operand in the low bits.
      if (opcode >= 0xc0) this.#restore(low);
      else if (opcode >= 0x80) this.#save(low, cursor.uleb());
      else if (opcode >= 0x40) this.#advance(low);
      else if (opcode <= 0x04) this.#move(opcode, cursor);
      else if (opcode >= 0x0a && opcode <= 0x0f) this.#frame(opcode, cursor);
      else this.#register(opcode, cursor);
    }
  }

  #advance(delta: number): void {
    this.#location += delta * this.#context.codeAlign;
  }

  #move(opcode: number, cursor: DwarfCursor): void {
    if (opcode === 0x01) this.#location = cursor.pointer(this.#context.pointerEncoding);
    else if (opcode === 0x02) this.#advance(cursor.unsigned(1));
    else if (opcode === 0x03) this.#advance(cursor.unsigned(2));
    else if (opcode === 0x04) this.#advance(cursor.unsigned(4));
  }

  /** remember_state to def_cfa_expression. */
  #frame(opcode: number, cursor: DwarfCursor): void {
    if (opcode === 0x0a) this.#remembered.push({ cfa: this.state.cfa, rules: new Map(this.state.rules) });
    else if (opcode === 0x0b) this.state = this.#remembered.pop() ?? fail('restores a state that it did not remember');
    else if (opcode === 0x0c) this.state.cfa = { register: cursor.uleb(), offset: cursor.uleb() };
    else if (opcode === 0x0d) this.state.cfa = { register: cursor.uleb(), offset: this.#plainCfa().offset };
    else if (opcode === 0x0e) this.state.cfa = { register: this.#plainCfa().register, offset: cursor.uleb() };
    else this.state.cfa = { expression: cursor.block() };
  }

  #register(opcode: number, cursor: DwarfCursor): void {
    const { dataAlign } = this.#context;
    // def_cfa_offset_sf and GNU_args_size name no register.
    if (opcode === 0x13) {
      this.state.cfa = { register: this.#plainCfa().register, offset: cursor.sleb() * dataAlign };
      return;
    }
    const register = cursor.uleb();
    if (opcode === 0x2e) return;
    if (opcode === 0x12) this.state.cfa = { register, offset: cursor.sleb() * dataAlign };
    else if (opcode === 0x05) this.#save(register, cursor.uleb());
    else if (opcode === 0x06) this.#restore(register);
    else if (opcode === 0x07) this.#set(register, UNDEFINED);
    else if (opcode === 0x08) this.#set(register, SAME);
    else if (opcode === 0x09) this.#set(register, { kind: 'register', register: cursor.uleb() });
    else if (opcode === 0x10) this.#set(register, { kind: 'saved-by-expression', expression: cursor.block() });
    else if (opcode === 0x11) this.#save(register, cursor.sleb());
    else if (opcode === 0x14) this.#set(register, { kind: 'is', offset: cursor.uleb() * dataAlign });
    else if (opcode === 0x15) this.#set(register, { kind: 'is', offset: cursor.sleb() * dataAlign });
    else if (opcode === 0x16) this.#set(register, { kind: 'is-by-expression', expression: cursor.block() });
    else if (opcode === 0x2f) this.#save(register, -cursor.uleb());
    else fail(`has the instruction 0x${opcode.toString(16)}`);
  }

  #set(register: number, rule: RegisterRule): void {
    this.state.rules.set(register, rule);
  }

  #save(register: number, factored: number): void {
    this.#set(register, { kind: 'saved', offset: factored * this.#context.dataAlign });
  }

  #restore(register: number): void {
    const rule = this.#initial.get(register);
    if (rule === undefined) this.state.rules.delete(register);
    else this.#set(register, rule);
  }

  #plainCfa(): { readonly register: number; readonly offset: number } {
    const { cfa } = this.state;
    return cfa && 'register' in cfa ? cfa : fail('changes a CFA that is none of register and offset');
  }
}

function fail(problem: string): never {
  throw damaged(`.eh_frame ${problem}`);
}
