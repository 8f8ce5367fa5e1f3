package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

func (a *app) evidenceRecordCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "record FILE",
		Short: "Write what a reading of logs shows into the ledger of the device's evidence",
		Long: `record takes what evidence --campaign CAMPAIGN -o json wrote, and writes it into the ledger of the
device's evidence: the digest of each log, which part of the windows they cover, and what they show
of credentials of that campaign's roll, while it runs or when it is over. It changes nothing else,
and no campaign's order. The same file twice is recorded once. The report of that campaign has it
from then on. It needs the policy rollcall-ledger, and runs where the ledgers are. While a watch of
the device writes there it waits for it, at most three minutes. What a campaign is to begin with is
a source of its file instead (type: evidence). Docs: docs/evidence.md.`,
		Args: oneArgument("what `rollcall evidence --campaign CAMPAIGN -o json` wrote"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.evidenceRecord(cmd.Context(), args[0]) },
	}
}

func (a *app) evidenceRecord(ctx context.Context, path string) error {
	cfg, err := a.watchedFile()
	if err != nil {
		return err
	}
	result, err := readResult(path)
	if err != nil {
		return err
	}
	roll, err := a.rollOf(ctx, cfg, path, result)
	if err != nil {
		return err
	}
	inventory.Read(roll, result.Record())
	read := roll.Readings[0]
	var of []credential.Credential
	for _, c := range roll.Credentials {
		if len(c.Signs) > 0 {
			of = append(of, c)
		}
	}
	kept := a.evidenceLedger(cfg, cfg.LedgerDir)
	defer kept.close()
	waits := func(why error) {
		a.say("note: waiting until whoever writes lets go, at most %s: %v", recordPatience, why)
	}
	if err := kept.recordOnce(ctx, read, of, waits); err != nil {
		return fmt.Errorf("%w; if some of it was written, the same command goes on with the rest", err)
	}
	a.result("reading %s is in ledger %s: %s, %s of %s, %s about nobody on the roll of %s", read.ID, ledger.EvidenceOf(cfg.Device), plural.Count(read.Counts.Logs, "log", "logs"),
		plural.Count(read.Counts.Signs, "sign", "signs"), plural.Count(read.Counts.Credentials, "credential", "credentials"), plural.Count(read.Counts.Elsewhere, "finding", "findings"), result.Campaign)
	return nil
}

// readResult reads what evidence wrote, and says the line of what is wrong.
func readResult(path string) (*taken.File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	result, err := taken.Read(text)
	var wrong *taken.Mistake
	switch {
	case errors.As(err, &wrong) && wrong.Line > 0:
		return nil, fmt.Errorf("%s:%d: %s; nothing was recorded", path, wrong.Line, wrong.Text)
	case err != nil:
		return nil, fmt.Errorf("%s: %w; nothing was recorded", path, err)
	}
	return result, nil
}

// rollOf is the roll against which a result was made, by the names that its
// campaign's ledger has, which lies here and verifies.
func (a *app) rollOf(ctx context.Context, cfg *config.Campaign, path string, result *taken.File) (*credential.Roll, error) {
	switch {
	case result.Device != cfg.Device:
		return nil, fmt.Errorf("%s is of device %s, and %s of %s; nothing was recorded", path, paste.Shell(result.Device), a.file, cfg.Device)
	case result.Campaign == "":
		return nil, fmt.Errorf("%s was made against a roll that was listed afresh, and a ledger names nobody whom no campaign's ledger names: run `rollcall evidence --campaign latest … -o json` again; nothing was recorded", path)
	case !isCampaignOf(cfg.Device, result.Campaign):
		return nil, fmt.Errorf("%s names a campaign that is none of device %s; nothing was recorded", path, cfg.Device)
	}
	folder := filepath.Join(cfg.LedgerDir, result.Campaign)
	if missing(folder) {
		return nil, fmt.Errorf("%s holds no ledger of campaign %s: run this where the ledgers are; nothing was recorded", cfg.LedgerDir, result.Campaign)
	}
	state, verified, err := readLedger(ctx, folder)
	switch {
	case err != nil:
		return nil, err
	case len(verified.Problems) > 0:
		return nil, fmt.Errorf("the ledger of campaign %s does not verify, so its roll is not believed: %s; nothing was recorded", result.Campaign, verified.Problems[0])
	}
	roll := &credential.Roll{}
	for c := range state.All() {
		roll.Credentials = append(roll.Credentials, credential.Credential{ID: c.ID, Name: c.Name})
	}
	return roll, nil
}
