// The pictures of this session, in memory only: those that wait, those that are computed, and those that ended.

const SHOWN_S = 1; // seconds of work after which the time left is known well enough

export class Queue {
  items = [];
  paused = null; // the error that stopped the queue; its pictures wait

  // compute(item, signal, report) returns a promise of a result. changed(item) is called after every change.
  constructor({ compute, atOnce, changed }) {
    Object.assign(this, { compute, atOnce, changed });
  }

  add(files) {
    const added = files.map((file) => ({ file, state: "waiting", step: null, share: null, result: null, error: null }));
    this.items.push(...added);
    if (this.unfinished.length === added.length) this.began = { at: performance.now(), done: this.count("done") };
    this.paused = null;
    queueMicrotask(() => this.run());
    return added;
  }

  get unfinished() {
    return this.items.filter(({ state }) => state === "waiting" || state === "running");
  }

  count(wanted) {
    return this.items.filter(({ state }) => state === wanted).length;
  }

  run() {
    for (const item of this.items) {
      if (this.paused || this.count("running") >= this.atOnce()) return;
      if (item.state === "waiting") this.start(item);
    }
  }

  resume() {
    this.paused = null;
    this.run();
  }

  // Computes a picture again, or for the first time after it was cancelled.
  again(item) {
    item.controller?.abort();
    Object.assign(item, { state: "waiting", error: null, controller: null });
    this.paused = null;
    this.run();
    this.changed(item);
  }

  cancel(item) {
    item.controller?.abort();
    Object.assign(item, { state: item.result ? "done" : "cancelled", controller: null });
    this.run();
    this.changed(item);
  }

  cancelAll() {
    this.paused = null;
    const waitingFirst = this.unfinished.sort((one, other) => (other.state === "waiting") - (one.state === "waiting")); // so that none is started on the way
    for (const item of waitingFirst) this.cancel(item);
  }

  remove(item) {
    item.controller?.abort();
    item.controller = null;
    this.items = this.items.filter((each) => each !== item);
    if (!this.unfinished.length) this.paused = null;
    this.run();
    this.changed(item);
  }

  async start(item) {
    const controller = (item.controller = new AbortController());
    Object.assign(item, { state: "running", step: null, share: null, since: null, saved: false });
    const report = (step, share) => {
      if (controller !== item.controller) return;
      if (share !== null && item.step?.key !== step.key) item.since = { at: performance.now(), share };
      Object.assign(item, { step, share });
      this.changed(item);
    };
    try {
      const result = await this.compute(item, controller.signal, report);
      if (controller !== item.controller) return;
      Object.assign(item, { state: "done", result });
    } catch (error) {
      if (controller !== item.controller) return;
      const pausing = error.status === 401 || error.key === "problem.unreachable";
      if (pausing) this.paused = error; // it meets every picture: no server, or no key
      Object.assign(item, pausing ? { state: "waiting" } : { state: "failed", error });
    }
    item.controller = null;
    this.changed(item);
    this.run();
  }

  // Returns the seconds that a running picture still takes, or null if that is not known yet.
  left({ state, since, share }) {
    if (state !== "running" || share === null || !since) return null;
    const [seconds, done] = [(performance.now() - since.at) / 1000, share - since.share];
    return seconds < SHOWN_S || done <= 0.02 || share >= 1 ? null : (seconds / done) * (1 - share);
  }

  // Returns the seconds that all pictures still take, or null.
  allLeft() {
    const [done, open] = [this.count("done") - (this.began?.done ?? 0), this.unfinished.length];
    return done > 0 && open > 0 && !this.paused ? ((performance.now() - this.began.at) / 1000 / done) * open : null;
  }
}
