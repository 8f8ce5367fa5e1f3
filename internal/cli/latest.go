package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// findLedger names the folder of a campaign's ledger: as given, or the named or
// latest campaign of the campaign file's device.
func (a *app) findLedger(ctx context.Context, dir string, args []string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	cfg, err := a.campaignFile()
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w; or name the campaign's folder alone (--ledger ledger/CAMPAIGN)", err)
	}
	if err != nil {
		return "", err
	}
	if len(args) == 1 {
		folder := filepath.Join(cfg.LedgerDir, args[0])
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			if at := a.fetchLatest(ctx, args); at != "" {
				return at, nil
			}
		}
		return folder, nil
	}
	folder, early, err := latestLedger(ctx, cfg)
	if err != nil {
		if at := a.fetchLatest(ctx, nil); at != "" {
			return at, nil
		}
	}
	for _, e := range early {
		a.say("note: campaign %s is newer and ended early, at %s (%s), with nothing set; what follows is %s. `rollcall status CAMPAIGN` and `rollcall report CAMPAIGN` show each",
			e.Campaign, e.At.UTC().Format(time.RFC3339), e.Why, filepath.Base(folder))
	}
	return folder, err
}

// isCampaignOf reports whether a name is that of a campaign for the device:
// reports lie beside the ledgers, and other devices may begin with its name.
func isCampaignOf(device, name string) bool {
	stamp, ok := strings.CutPrefix(name, device+"-")
	_, err := time.Parse(credential.CampaignStamp, stamp)
	return ok && err == nil && device != ""
}

// latestLedger is that of the newest campaign that did any work, and which
// newer ones ended before they did. Where none did it is the newest.
func latestLedger(ctx context.Context, cfg *config.Campaign) (folder string, newer []ledger.Early, err error) {
	entries, err := os.ReadDir(cfg.LedgerDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	var names []string
	for _, e := range entries {
		if isCampaignOf(cfg.Device, e.Name()) {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return "", nil, fmt.Errorf("%s holds no ledger of a campaign for device %s", cfg.LedgerDir, cfg.Device)
	}
	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names {
		folder := filepath.Join(cfg.LedgerDir, name)
		early, err := ledger.EndedEarly(ctx, folder)
		if early == nil || err != nil {
			// One that cannot be read is for the command to tell of.
			return folder, newer, ctx.Err()
		}
		newer = append(newer, *early)
	}
	return filepath.Join(cfg.LedgerDir, names[0]), nil, nil
}
