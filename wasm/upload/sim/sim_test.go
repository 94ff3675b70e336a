package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
)

// seeds is how many are played here; `make sim` plays more.
const seeds = 10_000

func TestSeeds(t *testing.T) {
	failed := 0
	for seed := range uint64(seeds) {
		if r := Run(seed); r.Violation != "" {
			report(t, seed, draw(seed).presigned)
			if failed++; failed == 3 {
				t.Fatal("and so on")
			}
		}
	}
}

// report shows the end of a seed's trace; cmd shows the whole.
func report(t *testing.T, seed uint64, presigned bool) {
	t.Helper()
	const last = 60
	s := draw(seed)
	s.presigned = presigned
	r, text := trace(s, seed)
	lines := strings.Split(text, "\n")
	t.Errorf("seed %d: %s\n%s\nall of it: go run ./wasm/upload/sim/cmd -seed %d", seed, r.Violation, strings.Join(lines[max(0, len(lines)-last):], "\n"), seed)
}

// A seed comes out the same every time, with a trace or without.
func TestASeedIsItsWorld(t *testing.T) {
	for seed := range uint64(300) {
		once, again := Run(seed), Run(seed)
		traced, _ := Trace(seed)
		if once.Steps != again.Steps || once.Took != again.Took || once.Steps != traced.Steps || once.Requests != traced.Requests {
			t.Fatalf("seed %d: %+v, %+v, %+v", seed, once, again, traced)
		}
	}
}

// The sizes at which something changes, each to the byte, in a world without faults.
func TestSizes(t *testing.T) {
	for name, size := range map[string]int64{
		"nothing": 0, "a byte": 1, "5 MiB": plan.MinPartSize,
		"a part less a byte": plan.DefaultPartSize - 1, "a part": plan.DefaultPartSize, "a part and a byte": plan.DefaultPartSize + 1,
		"10,000 parts": plan.MaxParts * plan.DefaultPartSize, "48.8 TiB": plan.MaxObjectSize,
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario{
				calm: true, fair: true, lanes: 6, quirks: amazon, verify: true,
				files:     []filePlan{{size: size, partSize: plan.DefaultPartSize}},
				bandwidth: plan.GiB, session: time.Hour, sessionSlack: 10 * time.Second, journalLag: 10 * time.Millisecond,
				deadline: 365 * 24 * time.Hour, maxSteps: 20_000 + 400*plan.MaxParts,
			}
			p, err := plan.New(size, plan.DefaultPartSize, plan.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			requests := p.Parts + 2 // and Create and Complete
			if p.Single() {
				requests = 1
			}
			if r := run(s, 1, nil); r.Violation != "" || r.Ends["done"] != 1 || r.Requests != requests {
				t.Errorf("%s; ends %v, %d requests, want %d", r.Violation, r.Ends, r.Requests, requests)
			}
		})
	}
}

// The simulator would be worth nothing if uploads failed in every storm, or if it never stormed.
func TestUploadsSucceedInMostWeather(t *testing.T) {
	ends, all := map[string]int{}, 0
	for seed := range uint64(2000) {
		for code, n := range Run(seed).Ends {
			ends[code] += n
			all += n
		}
	}
	if ends["done"] < all/2 || ends["done"] > all*9/10 {
		t.Errorf("of %d uploads %d are done", all, ends["done"])
	}
	for _, code := range []string{"cancelled", "stopped", "network", "file_unreadable", "file_changed", "different_file", "key_taken", "bytes_damaged", "stalled"} {
		if ends[code] == 0 {
			t.Errorf("no upload ends as %s: %v", code, ends)
		}
	}
}

func TestEveryInvariantCanFail(t *testing.T) {
	for b := noBug + 1; b < bugs; b++ {
		t.Run(fails[b], func(t *testing.T) {
			const most = 5000
			for seed := range uint64(most) {
				s := draw(seed)
				s.bug = b
				r := run(s, seed, nil)
				if invariant, _, _ := strings.Cut(r.Violation, ":"); invariant == fails[b] {
					t.Logf("bug %d: seed %d: %.100s", b, seed, r.Violation)
					return
				}
			}
			t.Errorf("the bug %d violates nothing in %d seeds, want %q", b, most, fails[b])
		})
	}
}
