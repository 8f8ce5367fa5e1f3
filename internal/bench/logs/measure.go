package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"rollcall/internal/bench/process"
)

//go:embed peers
var peers embed.FS

// What is measured of each format beside its peers.
const (
	whole  = "rollcall evidence"
	parser = "its parser alone"
	lines  = "its lines alone"
)

// sampleMB is how much there is of a log of which a page is repeated.
const sampleMB = 100

// formats are those of which there is a log, with what is run beside each.
var formats = []struct {
	name  string
	peers []peer
}{
	{"openldap", []peer{{"python3", "slapd.py"}, {"mawk", "slapd.awk"}, {"gawk", "slapd.awk"}}},
	{"windows-xml", []peer{{"python3", "windows_iterparse.py"}, {"python3", "windows_lines.py"}}},
	{webSyslog.Name, []peer{{"python3", "web.py"}}},
}

type peer struct{ program, script string }

// Result is everything that was measured, as -json writes it.
type Result struct {
	At      time.Time `json:"at"`
	Cores   int       `json:"cores"`
	Go      string    `json:"go"`
	Formats []*Format `json:"formats"`
}

// Format is what was measured of one.
type Format struct {
	Name   string      `json:"name"`
	Bytes  int64       `json:"bytes"`
	Ran    []*Measured `json:"ran"`
	Events int         `json:"events"` // that Rollcall read
}

// Measured is one command, in each round.
type Measured struct {
	What   string         `json:"what"`
	Rounds []process.Cost `json:"rounds"`
}

func run(ctx context.Context, o options) error {
	dir := o.keep
	if dir == "" {
		made, err := os.MkdirTemp("", "rollcall-logs-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(made)
		dir = made
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	result := &Result{At: time.Now().UTC(), Cores: runtime.NumCPU(), Go: runtime.Version()}
	for _, f := range formats {
		one, err := measure(ctx, o, dir, f.name, f.peers)
		if err != nil {
			return err
		}
		result.Formats = append(result.Formats, one)
	}
	o.megabytes = min(o.megabytes, sampleMB)
	for _, s := range samples {
		one, err := measure(ctx, o, dir, s.format, nil)
		if err != nil {
			return err
		}
		result.Formats = append(result.Formats, one)
	}
	fmt.Print(result.table())
	if o.json == "" {
		return nil
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(data, '\n'), 0o644)
}

func measure(ctx context.Context, o options, dir, name string, beside []peer) (*Format, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(dir, fmt.Sprintf("%s-%d.log", name, o.megabytes))
	if _, err := os.Stat(log); err != nil {
		fmt.Fprintf(os.Stderr, "logs: writing %d MB of %s\n", o.megabytes, name)
		if _, err := process.Run(ctx, nil, self, "-child", "make", "-mb", fmt.Sprint(o.megabytes), log, name); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(log)
	if err != nil {
		return nil, err
	}
	f := &Format{Name: name, Bytes: info.Size()}
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "logs: %s, round %d of %d\n", name, round+1, o.rounds)
		if err := f.one(ctx, "cat", "cat", log); err != nil { // and the file is in memory
			return nil, err
		}
		var said strings.Builder
		cost, err := process.Run(ctx, &said, self, "-child", "whole", log, name)
		if err != nil {
			return nil, err
		}
		f.ran(whole, cost)
		if f.Events, err = eventsOf(said.String()); err != nil {
			return nil, err
		}
		if err := f.one(ctx, parser, self, "-child", "parser", log, name); err != nil {
			return nil, err
		}
		if err := f.one(ctx, lines, self, "-child", "lines", log); err != nil {
			return nil, err
		}
		for _, p := range beside {
			script := filepath.Join(dir, p.script)
			text, err := peers.ReadFile("peers/" + p.script)
			if err != nil {
				return nil, err
			}
			if err := os.WriteFile(script, text, 0o644); err != nil {
				return nil, err
			}
			args := []string{script, log}
			if strings.HasSuffix(p.script, ".awk") {
				args = append([]string{"-f"}, args...)
			}
			if err := f.one(ctx, p.program+" "+p.script, p.program, args...); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

func eventsOf(said string) (n int, err error) {
	var r struct {
		Coverage []struct {
			Events     int `json:"events"`
			Unreadable int `json:"unreadable"`
		} `json:"coverage"`
	}
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		return 0, err
	}
	for _, c := range r.Coverage {
		if n += c.Events; c.Unreadable > 0 {
			return 0, fmt.Errorf("%d lines of the log that was made were not understood", c.Unreadable)
		}
	}
	return n, nil
}

func (f *Format) one(ctx context.Context, what, name string, args ...string) error {
	cost, err := process.Run(ctx, nil, name, args...)
	if err == nil {
		f.ran(what, cost)
	}
	return err
}

func (f *Format) ran(what string, cost process.Cost) {
	i := slices.IndexFunc(f.Ran, func(m *Measured) bool { return m.What == what })
	if i < 0 {
		i = len(f.Ran)
		f.Ran = append(f.Ran, &Measured{What: what})
	}
	f.Ran[i].Rounds = append(f.Ran[i].Rounds, cost)
}

// median of a figure over the rounds.
func (m *Measured) median(of func(process.Cost) float64) float64 {
	var all []float64
	for _, c := range m.Rounds {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func seconds(c process.Cost) float64   { return c.Seconds }
func processor(c process.Cost) float64 { return c.Processor }
func peak(c process.Cost) float64      { return float64(c.Peak) }

// table is the result for people: of each figure the median of the rounds.
func (r *Result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cores, %s · %s\n", r.Cores, r.Go, r.At.Format(time.DateTime+" UTC"))
	for _, f := range r.Formats {
		fmt.Fprintf(&b, "\n%s · %.0f MB · %d events read\n\n", f.Name, float64(f.Bytes)/1e6, f.Events)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "\tMB/s\tseconds\tprocessor seconds\tpeak MiB\tof Rollcall's time\t\n")
		own := 1.0
		for _, m := range f.Ran {
			if m.What == whole {
				own = m.median(seconds)
			}
		}
		for _, m := range f.Ran {
			fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%.0f\t%.2f\t\n", m.What, float64(f.Bytes)/1e6/m.median(seconds), m.median(seconds), m.median(processor), m.median(peak)/(1<<20), m.median(seconds)/own)
		}
		_ = w.Flush()
	}
	return b.String()
}
