package inventory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
)

// namesDevice finds out whether a login names the device; opens is false where
// nobody can log in with it, for it has no secret-id.
func (r *readers) namesDevice(ctx context.Context, o *otherLogin) (opens bool, err error) {
	names := append([]string{r.l.c.Device}, r.l.c.Formerly...)
	if namesAny(o.mount+"/"+o.name, names) {
		o.device = "its name"
	}
	if by := r.l.elsewhereOpen.logins[loginName{o.mount, fold(o.name)}]; by != "" && o.name != "" && !o.group {
		o.device, o.stolen = by, true
		return true, nil
	}
	ids := []map[string]any{o.role}
	if bound, is := o.role["bind_secret_id"].(bool); o.secretIDs() && (bound || !is) {
		more, opens, err := r.secretIDsOf(ctx, *o)
		if err != nil || !opens {
			return false, err
		}
		ids = append(ids, more...)
	}
	for _, id := range ids {
		about, _ := id["metadata"].(map[string]any)
		for _, v := range about {
			if text, _ := v.(string); o.device == "" && namesAny(text, names) {
				o.device = "the metadata of a secret-id"
			}
		}
	}
	if bound, _ := r.l.boundTo(ids, r.l.taken.Hosts()); o.device == "" && len(bound) > 0 {
		o.device = "an address that it is bound to"
	}
	for _, p := range o.policies {
		if o.device == "" && namesAny(p, names) {
			o.device, o.byPolicy = "the name of its policy "+p, true
		}
	}
	return true, nil
}

func (o otherLogin) secretIDs() bool {
	kept := credential.MethodOf(o.kind).Rotated()
	return kept != nil && kept.SecretIDs
}

// secretIDsOf looks at the secret-ids of an AppRole, unless its name says
// enough.
func (r *readers) secretIDsOf(ctx context.Context, o otherLogin) (ids []map[string]any, some bool, err error) {
	list, err := r.l.vault.API().Logical().ListWithContext(ctx, o.place+"/secret-id")
	if vault.Answered(err, http.StatusForbidden) {
		r.l.notShown(o.place, "it may read new values or make other ways in, and this login may not look at its secret-ids (list on %s/secret-id, update on %s/secret-id-accessor/lookup): whether the device has one is not known", o.place, o.place)
		return nil, true, nil
	}
	if err != nil {
		return nil, false, &naming{vaultError("list", o.place+"/secret-id", err), "secret-ids of an AppRole cannot be listed"}
	}
	accessors := keys(list)
	if len(accessors) == 0 || o.device != "" {
		return nil, len(accessors) > 0, nil
	}
	if n := len(accessors) - maxLimits; n > 0 {
		r.l.notShown(o.place, "it may read new values or make other ways in, and %s not looked at: whether the device has one of these is not known", plural.Count(n, "of its secret-ids was", "of its secret-ids were"))
		accessors = accessors[:maxLimits]
	}
	var mu sync.Mutex
	denied := false
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for _, accessor := range accessors {
		g.Go(func() error {
			at := o.place + "/secret-id-accessor/lookup"
			got, err := r.l.vault.API().Logical().WriteWithContext(gctx, at, map[string]any{"secret_id_accessor": accessor})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case notShown(err) || err == nil && got == nil: // it may have ended since
				denied = denied || vault.Answered(err, http.StatusForbidden)
			case err != nil:
				return &naming{vaultError("update", at, err), "secret-ids of an AppRole cannot be read"}
			default:
				ids = append(ids, got.Data)
			}
			return nil
		})
	}
	if err = g.Wait(); denied {
		r.l.notShown(o.place, "it may read new values or make other ways in, and this login may not look at its secret-ids (update on %s/secret-id-accessor/lookup): whether the device has one is not known", o.place)
	}
	return ids, true, err
}

// hold warns of a login that names the device. What it may read waits.
func (r *readers) hold(o otherLogin, nth int) {
	paths := r.reads(o)
	whose := map[string]bool{}
	by := o.place
	if nth > toldAlone {
		by = credential.MoreReaders
	}
	for _, p := range paths {
		for _, at := range r.of(p) {
			id := at.id
			if whose[id] = true; !slices.Contains(r.waits[id], by) {
				r.waits[id] = append(r.waits[id], by)
			}
		}
	}
	if nth > toldAlone {
		return
	}
	if o.stolen && o.device == listedNow {
		r.l.warn(credential.FindingReader, "%s: a login to Vault is of %s, and it may read the new %s (%s) by the policies %s. They wait for it: taken up (rollcall relist --reason …) the running campaign ends it at once and before them, and what was announced before it is dead is open again at the end (perhaps-read), but for people's tasks, which get another value by rollcall tasks renew; or, if nobody stole it: %s%s",
			o.place, o.device, newValues(len(whose)), r.what(paths, o.rises), strings.Join(o.by, ", "), paste.Entry("accept", "vault", o.place, "on", "TIME"), r.l.outdated(o.place))
		return
	}
	if o.stolen {
		r.l.warn(credential.FindingReader, "%s: a login to Vault that no source lists is on %s, and it may read the new %s (%s) by the policies %s. They wait, for whoever had that device may log in with it: have that campaign end it, or take the right from it, and run again, which lists anew; or, if nobody else has it: %s%s",
			o.place, o.device, newValues(len(whose)), r.what(paths, o.rises), strings.Join(o.by, ", "), paste.Entry("accept", "vault", o.place, "on", "TIME"), r.l.outdated(o.place))
		return
	}
	also := r.l.outdated(o.place)
	if o.byPolicy {
		also = ", or for all that have its policies: " + acceptPolicies(o.by) + r.l.outdatedPolicies(o.by, o.place)
	}
	r.l.warn(credential.FindingReader, "%s: a login to Vault that no source lists names the device by %s, and may read the new %s (%s) by the policies %s. They wait, for whoever had the device may log in with it again: list it (%s), and it is rotated before them; or, if it is not the device's: %s%s",
		o.place, o.device, newValues(len(whose)), r.what(paths, o.rises), strings.Join(o.by, ", "), o.listed(), paste.Entry("accept", "vault", o.place, "on", "TIME"), also)
}

// listed is how a source lists it.
func (o otherLogin) listed() string {
	if kept := credential.MethodOf(o.kind).Rotated(); kept != nil {
		return fmt.Sprintf("a source {type: %s, mount: %s, %s: %s}, or a row of a manifest", kept.Source, paste.YAML(o.mount), kept.Named, paste.QuotedYAML(o.name))
	}
	return "the accounts that log in there, by a source of type directory or rows of a manifest; a group or a mount is then accepted"
}

// tellLogins warns of logins that read by the same policies. Consumers have
// such.
func (r *readers) tellLogins(all []otherLogin) {
	var places []string
	for _, o := range all {
		places = append(places, o.place)
	}
	first := all[0]
	paths := first.set.some
	if first.rises != "" {
		paths = r.paths
	}
	what := r.what(paths, first.rises)
	if reason, ok := r.l.policiesAccepted(first.by); ok {
		r.l.warn(credential.FindingAccepted, "%s may read new values (%s) by %s, which the campaign file accepts: %s", plural.Count(len(all), "login to Vault that no source lists", "logins to Vault that no source lists"), what, strings.Join(first.by, ", "), reason)
		return
	}
	r.l.warn(credential.FindingReader, "logins to Vault that no source lists may read new values (%s) by the policies %s: %s. If the device had one, whoever stole it logs in again and reads each of them: find out whose each is, list the device's (%s), and say so of the others: %s; or name one: %s%s",
		what, strings.Join(first.by, ", "), some(places), first.listed(), acceptPolicies(first.by), paste.Row("vault", places[0], "on", "TIME"), r.l.outdatedPolicies(first.by, places...))
}
