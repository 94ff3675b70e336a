// Command cmd plays many seeds of the simulator and says how it goes:
//
//	go run ./wasm/upload/sim/cmd -seeds 1000000 -from 0
//	go run ./wasm/upload/sim/cmd -seed 17            # one seed, with its trace
//
// It uses as many workers as GOMAXPROCS; each seed is played by one, and comes
// out the same every time. It exits 1 when a seed violates an invariant.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chunksign/chunksign/wasm/upload/sim"
)

func main() {
	seeds := flag.Uint64("seeds", 10_000, "how many seeds")
	from := flag.Uint64("from", 0, "the first")
	one := flag.Int64("seed", -1, "play this one only, and print its trace")
	stop := flag.Int("stop", 10, "stop after this many failures")
	flag.Parse()
	if *one >= 0 {
		r, trace := sim.Trace(uint64(*one))
		fmt.Print(trace)
		if r.Violation != "" {
			fmt.Println(r.Violation)
			os.Exit(1)
		}
		return
	}
	if failed := play(*from, *seeds, *stop); failed > 0 {
		os.Exit(1)
	}
}

// totals is what all workers have seen so far.
type totals struct {
	sync.Mutex
	done, steps, requests uint64
	slowest               time.Duration
	slowestSeed           uint64
	ends                  map[string]int
	failed                []sim.Result
}

func play(from, seeds uint64, stop int) int {
	var next atomic.Uint64
	var stopped atomic.Bool
	t := totals{ends: map[string]int{}}
	begun := time.Now()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < seeds && !stopped.Load(); n = next.Add(1) - 1 {
				at := time.Now()
				r := sim.Run(from + n)
				if t.add(r, time.Since(at)) >= stop {
					stopped.Store(true)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { workers.Wait(); close(finished) }()
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.print(begun, seeds)
		case <-finished:
			t.print(begun, seeds)
			t.printEnds()
			return len(t.failed)
		}
	}
}

func (t *totals) add(r sim.Result, took time.Duration) int {
	t.Lock()
	defer t.Unlock()
	t.done++
	t.steps += uint64(r.Steps)
	t.requests += uint64(r.Requests)
	if took > t.slowest {
		t.slowest, t.slowestSeed = took, r.Seed
	}
	for code, n := range r.Ends {
		t.ends[code] += n
	}
	if r.Violation != "" {
		t.failed = append(t.failed, r)
		fmt.Printf("seed %d: %s\n", r.Seed, r.Violation)
	}
	return len(t.failed)
}

func (t *totals) print(begun time.Time, seeds uint64) {
	t.Lock()
	defer t.Unlock()
	took := time.Since(begun)
	fmt.Printf("%d of %d seeds, %d failed, %.0f seeds/s, %d steps, %d requests, %s\n",
		t.done, seeds, len(t.failed), float64(t.done)/took.Seconds(), t.steps, t.requests, took.Round(time.Second/10))
}

func (t *totals) printEnds() {
	var lines []string
	for code, n := range t.ends {
		lines = append(lines, fmt.Sprintf("%9d  %s", n, code))
	}
	sort.Sort(sort.Reverse(sort.StringSlice(lines)))
	fmt.Printf("ends of uploads:\n%s\nthe slowest seed was %d: %s\n", strings.Join(lines, "\n"), t.slowestSeed, t.slowest.Round(time.Millisecond))
}
