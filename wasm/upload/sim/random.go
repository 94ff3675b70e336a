package sim

import "time"

// random is splitmix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom
// Number Generators", 2014). Each part of the simulated world has a stream of
// its own, so that one more draw here moves nothing there.
type random struct{ state uint64 }

// stream gives the label's own numbers for a seed.
func stream(seed uint64, label string) *random {
	r := &random{state: seed}
	for i := 0; i < len(label); i++ {
		r.state ^= uint64(label[i])
		r.next()
	}
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below gives 0 to n-1.
func (r *random) below(n int64) int64 {
	if n <= 0 {
		return 0
	}
	return int64(r.next() % uint64(n))
}

// oneIn is true once in n times.
func (r *random) oneIn(n int64) bool { return r.below(n) == 0 }

// between gives a span from a to b.
func (r *random) between(a, b time.Duration) time.Duration {
	return a + time.Duration(r.below(int64(b-a)+1))
}

// pick gives one of some.
func pick[T any](r *random, some ...T) T { return some[r.below(int64(len(some)))] }
