/**
 * What scripts/build puts in: file names beside the bundle itself, to be
 * resolved by `new URL(NAME, import.meta.url)`.
 */
declare const CORE_WASM: string;
declare const KEEPER_WASM: string;
declare const WORKER_JS: string;

/**
 * The glue of the compiler that built the wasm modules: Go's wasm_exec.js or
 * TinyGo's, which are not interchangeable. Importing it also sets
 * `globalThis.Go`.
 */
declare module "wasm_exec" {
  export class Go {
    /** Hand this to WebAssembly.instantiate; extend it, never replace a module of it. */
    importObject: WebAssembly.Imports & Record<string, WebAssembly.ModuleImports>;
    /** Set once main has returned or died; the instance still answers calls then, with garbage. */
    exited: boolean;
    argv: string[];
    env: Record<string, string>;
    /** Starts main; settles when it returns, which a module that serves exports never does. */
    run(instance: WebAssembly.Instance): Promise<void>;
  }
  export default Go;
}
