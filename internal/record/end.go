package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// Proved are the credentials of a batch that the ledger calls dead, with the
// mark that their evidence holds of the write server, and the versions that the
// outcome says were activated. What was only ended has no secret that could be
// another one by now. counts tells where on the roll a credential is by now,
// and read of which the new value may have been read.
func Proved(b wire.Batch, page []credential.Credential, state *ledger.State, counts func(page, index int) bool, read func(credential.Ref, *ledger.CredentialState) bool) (out []wire.ProvedItem) {
	for i := b.Span.From; i < b.Span.To; i++ {
		if !counts(b.Span.Page, i) {
			continue
		}
		cred := state.Credential(page[i].ID)
		if task := page[i].Task; task != nil {
			if cred != nil && cred.Outcome == ledger.Dead && task.At != nil && len(cred.AtDoors) > 0 {
				out = append(out, wire.ProvedItem{Index: i})
			}
			continue
		}
		if cred != nil && cred.Outcome == ledger.Dead && read(credential.Ref{Page: b.Span.Page, Index: i}, cred) {
			out = append(out, wire.ProvedItem{Index: i, Read: true})
			continue
		}
		if cred == nil || cred.Outcome != ledger.Dead || len(cred.Evidence) == 0 || page[i].Kind.OnlyEnds() {
			continue
		}
		out = append(out, provedItem(i, page[i], cred))
	}
	return out
}

func provedItem(i int, c credential.Credential, cred *ledger.CredentialState) wire.ProvedItem {
	it := wire.ProvedItem{Index: i, Mark: cred.Evidence[0].Changed}
	for _, ev := range cred.Evidence[1:] {
		if ev.Changed == "" {
			continue
		}
		if it.Marks == nil {
			it.Marks = map[string]string{}
		}
		if it.Marks[ev.Server] = ev.Changed; ev.Changed == it.Mark {
			it.Marks[ev.Server] = ""
		}
	}
	for _, p := range c.Places() {
		it.To = append(it.To, cred.To[p.String()])
		if cred.Written != nil {
			it.Written = append(it.Written, cred.Written[p.String()])
		}
	}
	return it
}

// Cleaned say which dead credentials are open again, because what their
// consumers get is not the new value any more.
func Cleaned(in wire.CleanedInput, page []credential.Credential, now time.Time) (entries []ledger.Entry) {
	for _, it := range in.Result.Reopened {
		e := ledger.About(in.Batch.Campaign, page[it.Index], ledger.Reopened, string(it.Reason), now)
		e.Step, e.Reason, e.Detail = it.Step, it.Reason, in.Result.Detail
		entries = append(entries, e)
	}
	return entries
}

// Rechecked say which dead credentials are open again, and what else was found.
func Rechecked(in wire.RecheckedInput, page []credential.Credential, now time.Time) (entries []ledger.Entry) {
	campaign := in.Batch.Campaign
	for _, it := range in.Result.Reopened {
		c := page[it.Index]
		detail := cmp.Or(in.Result.Details[it.Index], in.Result.Detail)
		e := ledger.About(campaign, c, ledger.Reopened, "", now)
		e.Step, e.Reason, e.Server, e.Detail = it.Step, it.Reason, it.Server, detail
		entries = append(entries, found(campaign, c, 0, credential.Finding{Code: findingOf(it.Reason), Detail: detail}, now), e)
	}
	for _, code := range slices.Sorted(maps.Keys(in.Result.Told)) {
		for _, i := range in.Result.Told[code] {
			entries = append(entries, found(campaign, page[i], 0, credential.Finding{Code: code}, now))
		}
	}
	for _, i := range in.Result.Locked {
		entries = append(entries, found(campaign, page[i], 0, credential.Finding{Code: credential.FindingLockedSince}, now))
	}
	of := func(code credential.FindingCode, format string, args ...any) ledger.Entry {
		return ledger.Entry{
			ID: ledger.EntryID(campaign, "", fmt.Sprintf("%s.%d", code, in.Number), ledger.EventFinding), At: now, Campaign: campaign,
			Event: ledger.EventFinding, Finding: code, Detail: fmt.Sprintf(format, args...),
		}
	}
	if in.Result.Missed > 0 {
		entries = append(entries, of(credential.FindingNotLookedAgain, "%s of %s %s not shown by a server besides the write server at the end of the campaign", plural.Count(in.Result.Missed, "dead credential", "dead credentials"), in.Batch.Authority, plural.Pick(in.Result.Missed, "is", "are")))
	}
	switch n := len(in.Result.Unseen); {
	case n == 0:
	case in.Batch.Authority == credential.PersonAuthority:
		entries = append(entries, of(credential.FindingUnseenAtEnd, "%s could not be looked at again at all %s doors at the end of the campaign, or Vault does not hold the new value%s",
			plural.Count(n, "credential that people changed and that was proved dead", "credentials that people changed and that were proved dead"), plural.Pick(n, "its", "their"), someNames(page, in.Result.Unseen)))
	default:
		entries = append(entries, of(credential.FindingUnseenAtEnd, "%s of %s %s%s", plural.Count(n, "credential", "credentials"), in.Batch.Authority,
			plural.Pick(n, "that was proved dead could not be looked at again on all its servers and doors, or in Vault, at the end of the campaign, or is not shown by the write server any more, or not when it was changed", "that were proved dead could not be looked at again on all their servers and doors, or in Vault, at the end of the campaign, or are not shown by the write server any more, or not when they were changed"), someNames(page, in.Result.Unseen)))
	}
	return entries
}

// findingOf is what an investigator is to look at where a credential is open
// again.
func findingOf(r protocol.Reason) credential.FindingCode {
	if r == protocol.ReasonChangedSince {
		return credential.FindingChangedAfter
	}
	return credential.FindingCode(r)
}

// someNames names the first few credentials of a page.
func someNames(page []credential.Credential, indexes []int) string {
	const most = 5
	var names []string
	for _, i := range indexes {
		if len(names) < most && i < len(page) {
			names = append(names, page[i].Name)
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case len(indexes) > len(names):
		return fmt.Sprintf(": %s and %d more", strings.Join(names, "; "), len(indexes)-len(names))
	}
	return ": " + strings.Join(names, "; ")
}
