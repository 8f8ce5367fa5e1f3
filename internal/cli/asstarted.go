package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"rollcall/config"
	"rollcall/internal/credential"
)

// requireAsStarted refuses to go on with a campaign that was started with
// another file than this one: what was written into it since (an account to
// exclude, another server) takes no part, and whoever wrote it believes that it
// does. It asks before this process works.
func (s *session) requireAsStarted(ctx context.Context) error {
	d, err := s.describe(ctx)
	if err != nil || d == nil || d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || s.asStarted {
		return err
	}
	id := campaignOf(d.WorkflowExecutionInfo)
	if id == "" {
		// The cluster keeps none: it is the newest that has not ended.
		others, err := s.store.Others(ctx, s.cfg.Device, "")
		if err != nil || len(others) == 0 {
			return err
		}
		id = others[0].Campaign
	}
	stored, err := s.latestSpec(ctx, id)
	if err != nil {
		return err
	}
	parts, err := differing(stored, s.cfg)
	if err != nil || len(parts) == 0 {
		return err
	}
	whose := s.startedBy(ctx, id)
	if whose != "" {
		whose = ". It was " + strings.TrimPrefix(whose, ", ")
	}
	return fmt.Errorf("campaign %s runs with another campaign file than %s is now: %s. What was changed since it started takes no part in it; nothing was done. To go on with what it was started with, `rollcall run --as-started`; to take up what says what is on the roll, `rollcall relist` beside it; for the file as it is now, `rollcall abort`, then run (where no run is alive, `rollcall run --as-started --stay` first, and abort in another terminal)",
		id, s.file, strings.Join(parts, ", ")+whose)
}

// differing names the parts of the campaign file in which two specifications
// differ. The folder of the ledger is none: it is each machine's own.
func differing(stored []byte, now *config.Campaign) ([]string, error) {
	was := &config.Campaign{}
	if err := json.Unmarshal(stored, was); err != nil {
		return nil, fmt.Errorf("the specification of the running campaign in Vault is unreadable: %w", err)
	}
	var parts [2]map[string]json.RawMessage
	for i, c := range []*config.Campaign{was, now} {
		plain := *c
		plain.Unanswered, plain.Override, plain.UnfitDoors, plain.First = nil, nil, nil, nil // said when it was started
		plain.Scheduled = false
		plain.Incident = credential.Incident{}      // a ticket may get its number later
		plain.FileSHA256, plain.DoorLines = "", nil // a comment takes no part, nor where something stands
		plain.Accept = slices.Clone(c.Accept)
		for i := range plain.Accept {
			plain.Accept[i].Line = 0
		}
		plain.Sources = slices.Clone(c.Sources)
		for i := range plain.Sources {
			// A result that was written anew may have the same accounts.
			plain.Sources[i].Record = nil
		}
		if s := plain.Containment; s != nil {
			// What is said of it anew is for the next campaign; where it is
			// asked is not.
			plain.Containment = nil
			if len(s.Addresses) > 0 {
				plain.Containment = &config.Containment{Addresses: s.Addresses, Ports: s.Ports}
			}
		}
		if p, q := was.Profile, now.Profile; p != nil && q != nil && !p.Own && !q.Own && p.Name == q.Name {
			plain.Profile = p // a newer build has a newer one
		}
		text, err := json.Marshal(&plain)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &parts[i]); err != nil {
			return nil, err
		}
	}
	all := maps.Clone(parts[0])
	maps.Copy(all, parts[1])
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !bytes.Equal(parts[0][name], parts[1][name]) {
			out = append(out, name)
		}
	}
	return out, nil
}
