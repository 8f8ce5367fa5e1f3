package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is everything that was measured, as -json writes it.
type Result struct {
	Machine     Machine   `json:"machine"`
	Accounts    int       `json:"accounts"`
	Audit       bool      `json:"audit"` // Vault wrote an audit log
	Calls       Calls     `json:"calls"`
	EngineOne   Timing    `json:"vault_engine_1_caller"`
	EngineEight Timing    `json:"vault_engine_8_callers"`
	Tries       []Timing  `json:"bare_tries"`
	Before      Timing    `json:"bare_before"`
	Campaign    *Campaign `json:"campaign"`
	After       Timing    `json:"bare_after"`
	Ratios      Ratios    `json:"ratios"`
}

// Machine is where it was measured.
type Machine struct {
	At    time.Time `json:"at"`
	CPU   string    `json:"cpu"`
	Cores int       `json:"cores"`
	Go    string    `json:"go"`
}

// Ratios compare campaigns with the other ways: the whole process, and the
// rotation phase alone. The bare loop is the mean of before and after; Vault's
// engine counts with 8 callers.
type Ratios struct {
	Bare             float64 `json:"bare_per_second"`
	ToBare           float64 `json:"campaign_to_bare"`
	ToEngine         float64 `json:"campaign_to_vault_engine"`
	RotatingToBare   float64 `json:"rotating_to_bare"`
	RotatingToEngine float64 `json:"rotating_to_vault_engine"`
	Drift            float64 `json:"bare_after_to_before"`
}

func newResult(n int, audit bool) *Result {
	return &Result{Accounts: n, Audit: audit, Machine: Machine{At: time.Now().UTC(), CPU: processor(), Cores: runtime.NumCPU(), Go: runtime.Version()}}
}

func (r *Result) compare() {
	bare := float64(r.Before.Accounts+r.After.Accounts) / (r.Before.Seconds + r.After.Seconds)
	r.Ratios = Ratios{
		Bare: bare, Drift: r.After.PerSecond / r.Before.PerSecond,
		ToBare: r.Campaign.PerSecond / bare, ToEngine: r.Campaign.PerSecond / r.EngineEight.PerSecond,
		RotatingToBare: r.Campaign.RotatingPerSecond / bare, RotatingToEngine: r.Campaign.RotatingPerSecond / r.EngineEight.PerSecond,
	}
}

func (r *Result) write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// table is the result for people.
func (r *Result) table() string {
	var b strings.Builder
	audit := "without"
	if r.Audit {
		audit = "with"
	}
	fmt.Fprintf(&b, "%d accounts each · one slapd {SSHA} over LDAPS, one Vault %s audit log · %s, %d cores, %s · %s\n\n",
		r.Accounts, audit, r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Machine.At.Format(time.DateTime+" UTC"))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\taccounts\tseconds\tper second\tms of CPU each: slapd\tVault\tclient\tengine\t")
	row := func(name string, t Timing) {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", name, t.Accounts, t.Seconds, t.PerSecond, t.CPU.Slapd, t.CPU.Vault, t.CPU.Client, t.CPU.Engine)
	}
	row("(a) Vault's LDAP engine, 1 caller", r.EngineOne)
	row("(a) Vault's LDAP engine, 8 callers", r.EngineEight)
	for _, t := range r.Tries {
		row(fmt.Sprintf("    bare loop, %d workers", t.Workers), t)
	}
	row(fmt.Sprintf("(b) bare loop, %d workers, before", r.Before.Workers), r.Before)
	row("(c) campaign, process start to end", r.Campaign.Timing)
	row(fmt.Sprintf("(b) bare loop, %d workers, after", r.After.Workers), r.After)
	_ = w.Flush()

	c := r.Campaign
	fmt.Fprintf(&b, "\ncampaign: listing and recording %.1f s, rotating %.1f s (%.0f per second), ending %.1f s\n", c.Listing, c.Rotating, c.RotatingPerSecond, c.Ending)
	fmt.Fprintf(&b, "first dead after %.1f s · Set to proof p50 %.0f ms, p99 %.0f ms\n", c.FirstDead, 1000*c.SetToProofP50, 1000*c.SetToProofP99)
	fmt.Fprintf(&b, "peak memory: worker %d MiB, engine %d MiB · ledger: %d entries, %.1f MB\n", c.WorkerMemory>>20, c.EngineMemory>>20, c.LedgerEntries, float64(c.LedgerBytes)/1e6)
	same := "the same calls in the same order"
	if !r.Calls.Same {
		same = "NOT THE SAME CALLS, so the ratio to the bare loop means nothing (-json lists them)"
	}
	fmt.Fprintf(&b, "calls per account: %d to slapd, %d to Vault; campaign and bare loop make %s\n", r.Calls.LDAP, r.Calls.Vault, same)
	fmt.Fprintf(&b, "drift of the machine: the bare loop after / before %.2f\n\n", r.Ratios.Drift)
	fmt.Fprintf(&b, "campaign / bare loop           %.2f  (rotation phase alone %.2f)\n", r.Ratios.ToBare, r.Ratios.RotatingToBare)
	fmt.Fprintf(&b, "campaign / Vault's LDAP engine %.2f  (rotation phase alone %.2f)\n", r.Ratios.ToEngine, r.Ratios.RotatingToEngine)
	return b.String()
}

// processor is the CPU's name for people (proc_cpuinfo(5)).
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, name, ok := strings.Cut(lines.Text(), ": "); ok && strings.HasPrefix(lines.Text(), "model name") {
			return name
		}
	}
	return "unknown CPU"
}
