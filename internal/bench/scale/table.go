package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is everything that was measured, as -json writes it.
type Result struct {
	At    time.Time `json:"at"`
	Cores int       `json:"cores"`
	Go    string    `json:"go"`
	Sizes []*Size   `json:"sizes"`
}

func newResult() *Result {
	return &Result{At: time.Now().UTC(), Cores: runtime.NumCPU(), Go: runtime.Version()}
}

// table is the result for people: of each figure the median of the rounds.
func (r *Result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cores, %s · %s\n", r.Cores, r.Go, r.At.Format(time.DateTime+" UTC"))
	for i, s := range r.Sizes {
		fmt.Fprintf(&b, "\n%d credentials · ledger %.1f MB in %d files\n\n", s.Credentials, float64(s.Bytes)/1e6, s.Files)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "\tseconds\t× %s\tprocessor seconds\t× %s\tpeak MiB\t× of %d\t\n", peerHash, peerHash, r.Sizes[0].Credentials)
		hash := s.command(peerHash)
		for _, m := range s.Commands {
			least := r.Sizes[0].command(m.What)
			fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%.2f\t%.1f\t%.0f\t%.2f\t\n", m.What,
				m.median(seconds), m.median(seconds)/hash.median(seconds), m.median(processor), m.median(processor)/hash.median(processor),
				m.median(peak)/(1<<20), m.median(peak)/least.median(peak))
		}
		_ = w.Flush()
		for _, m := range s.Commands {
			if len(m.Bytes) == 2 {
				fmt.Fprintf(&b, "%s: %.1f MB are opened first, of %.1f MB\n", m.What, float64(m.Bytes[0])/1e6, float64(m.Bytes[1])/1e6)
			}
		}
		if i > 0 {
			least := r.Sizes[0].command(verifies)
			each := func(m *Measured, n int) float64 { return 1e6 * m.median(processor) / float64(n) }
			fmt.Fprintf(&b, "%s: %.1f µs of processor time for each credential, %.1f at %d (the start of the program in it)\n", verifies,
				each(s.command(verifies), s.Credentials), each(least, r.Sizes[0].Credentials), r.Sizes[0].Credentials)
		}
	}
	return b.String()
}
