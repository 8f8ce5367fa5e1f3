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
	Machine   Machine  `json:"machine"`
	Accounts  int      `json:"accounts"`
	Audit     bool     `json:"audit"` // Vault wrote an audit log
	Calls     Calls    `json:"calls"`
	EngineOne Timing   `json:"vault_engine_1_caller"`
	Tries     []Timing `json:"bare_tries"`
	Rounds    []Round  `json:"rounds"`
	Domain    *Domain  `json:"active_directory,omitempty"`
	Quick     *Quick   `json:"quick,omitempty"`

	Drift  float64 `json:"bare_last_to_first_round"` // of the machine
	Ratios Ratios  `json:"ratios"`
}

// Round is each way once, one straight after the other: Vault's engine with 8
// callers, the bare loop, a campaign with the default limits.
type Round struct {
	Engine   Timing    `json:"vault_engine_8_callers"`
	Bare     Timing    `json:"bare"`
	Campaign *Campaign `json:"campaign"`
	Other    *Campaign `json:"campaign_of_other_version,omitempty"`
}

// Machine is where it was measured.
type Machine struct {
	At    time.Time `json:"at"`
	CPU   string    `json:"cpu"`
	Cores int       `json:"cores"`
	Go    string    `json:"go"`
}

// Ratios compare the rates over all rounds. Rotating is the rotation phase
// alone, and what compares like with like: the other two ways start with the
// list of accounts in hand, and keep no record. Whole is from the start of the
// process to its end.
type Ratios struct {
	RotatingToBare   float64 `json:"rotating_to_bare"`
	RotatingToEngine float64 `json:"rotating_to_vault_engine"`
	WholeToBare      float64 `json:"whole_to_bare"`
	WholeToEngine    float64 `json:"whole_to_vault_engine"`

	Other *OtherRatios `json:"to_other_version,omitempty"`
}

func newResult(n int, audit bool) *Result {
	return &Result{Accounts: n, Audit: audit, Machine: Machine{At: time.Now().UTC(), CPU: processor(), Cores: runtime.NumCPU(), Go: runtime.Version()}}
}

func (r *Result) compare() {
	var engine, bare, rotating, whole float64 // seconds for the same number of accounts
	for _, one := range r.Rounds {
		engine += one.Engine.Seconds
		bare += one.Bare.Seconds
		rotating += one.Campaign.Rotating
		whole += one.Campaign.Seconds
	}
	r.Ratios = Ratios{
		RotatingToBare: bare / rotating, RotatingToEngine: engine / rotating,
		WholeToBare: bare / whole, WholeToEngine: engine / whole,
		Other: toOther(r.Rounds),
	}
	r.Drift = r.Rounds[len(r.Rounds)-1].Bare.PerSecond / r.Rounds[0].Bare.PerSecond
}

func (r *Result) write(file string) error { return writeJSON(file, r) }

func writeJSON(file string, of any) error {
	data, err := json.MarshalIndent(of, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// table is the result for people.
func (r *Result) table() string {
	var b strings.Builder
	if len(r.Rounds) > 0 {
		r.largeTable(&b)
	}
	if r.Quick != nil {
		r.Quick.table(&b)
	}
	return b.String()
}

// largeTable is that of the ways beside each other.
func (r *Result) largeTable(b *strings.Builder) {
	audit := "without"
	if r.Audit {
		audit = "with"
	}
	fmt.Fprintf(b, "%d accounts each · one slapd {SSHA} over LDAPS, one Vault %s audit log · %s, %d cores, %s · %s\n\n",
		r.Accounts, audit, r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Machine.At.Format(time.DateTime+" UTC"))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\taccounts\tseconds\tper second\tms of CPU each: slapd\tVault\tclient\tengine\t")
	row := func(name string, t Timing) {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", name, t.Accounts, t.Seconds, t.PerSecond, t.CPU.Slapd, t.CPU.Vault, t.CPU.Client, t.CPU.Engine)
	}
	row("Vault's LDAP engine, 1 caller", r.EngineOne)
	for _, t := range r.Tries {
		row(fmt.Sprintf("bare loop, %d workers", t.Workers), t)
	}
	for _, one := range r.Rounds {
		row("(a) Vault's LDAP engine, 8 callers", one.Engine)
		row(fmt.Sprintf("(b) bare loop, %d workers", one.Bare.Workers), one.Bare)
		row("(c) campaign, whole process", one.Campaign.Timing)
		// Nobody can tell how much of the processor time was spent when.
		fmt.Fprintf(w, "rotating\t%d\t%.1f\t%.0f\t\t\t\t\t\n", one.Campaign.Accounts, one.Campaign.Rotating, one.Campaign.RotatingPerSecond)
		if one.Other != nil {
			row("campaign of the other version", one.Other.Timing)
		}
	}
	_ = w.Flush()

	fmt.Fprintf(b, "\ncampaign, rotating:      %.2f × bare loop, %.2f × Vault's engine with 8 callers\n", r.Ratios.RotatingToBare, r.Ratios.RotatingToEngine)
	fmt.Fprintf(b, "campaign, whole process: %.2f × bare loop, %.2f × Vault's engine with 8 callers\n", r.Ratios.WholeToBare, r.Ratios.WholeToEngine)
	if o := r.Ratios.Other; o != nil {
		b.WriteString(o.words())
	}
	for i, one := range r.Rounds {
		fmt.Fprintf(b, "campaign of round %d\n%s", i+1, one.Campaign.details())
	}
	fmt.Fprintf(b, "%s", r.Calls.words())
	fmt.Fprintf(b, "the bare loop in the last round / in the first: %.2f, which is how far the machine drifted\n", r.Drift)
	if r.Domain != nil {
		b.WriteString(r.Domain.words())
	}
}

func (c Calls) words() string {
	same := "the same calls in the same order"
	if !c.Same {
		same = "NOT THE SAME CALLS, so the ratio to the bare loop means nothing (-json lists them)"
	}
	return fmt.Sprintf("calls per account: %d to the directory and a hundredth of a look-up, %d to Vault; campaign and bare loop make %s\n", c.LDAP, c.Vault, same)
}

func (d *Domain) words() string {
	return fmt.Sprintf("\nActive Directory, one Samba domain controller, each account reset twice\n"+
		"  bare loop, %d workers: %d accounts, %.0f per second\n", d.Bare.Workers, d.Bare.Accounts, d.Bare.PerSecond) +
		fmt.Sprintf("  campaign: %d accounts, %.0f per second, whole %.2f × bare loop, rotating %.2f × bare loop (%.0f per second)\n",
			d.Campaign.Accounts, d.Campaign.PerSecond, d.WholeToBare, d.RotatingToBare, d.Campaign.RotatingPerSecond) +
		fmt.Sprintf("  Set to proof p50 %.0f ms, p99 %.0f ms · first dead after %.1f s\n  %s",
			1000*d.Campaign.SetToProofP50, 1000*d.Campaign.SetToProofP99, d.Campaign.FirstDead, d.Calls.words())
}

// details are the figures of one campaign that the table has no column for.
func (c *Campaign) details() string {
	return fmt.Sprintf("  listing and recording the roll %.1f s · rotating %.1f s · report and end %.1f s\n", c.Listing, c.Rotating, c.Ending) +
		fmt.Sprintf("  first dead after %.1f s · Set to proof p50 %.0f ms, p99 %.0f ms\n", c.FirstDead, 1000*c.SetToProofP50, 1000*c.SetToProofP99) +
		fmt.Sprintf("  peak memory: worker %d MiB, engine %d MiB · ledger: %d entries, %.1f MB\n", c.WorkerMemory>>20, c.EngineMemory>>20, c.LedgerEntries, float64(c.LedgerBytes)/1e6)
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
