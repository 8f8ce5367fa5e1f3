package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/powers"
)

// Whoever stole a login to Vault may have made himself another way in with it
// before the campaign: a secret-id of another role, a user's password, a token
// that is nobody's child. That outlives the login. Nothing in Vault says who
// made what, so what the login's policies let it make is told, and a person
// answers by its name.

// made is what logins of the roll may have made or changed at one place in
// Vault.
type made struct {
	what   powers.What
	role   bool     // place is an AppRole
	logins []string // names
}

// madeBy gathers what logins may have made, by place.
type madeBy struct {
	at     map[string]*made
	remade map[string]string
}

func (m madeBy) add(found []powers.Power, login string) {
	for _, f := range found {
		if !f.Lasts() || m.remade[f.Path] != "" {
			continue
		}
		place, role := madeAt(f)
		if m.at[place] == nil {
			m.at[place] = &made{what: f.What, role: role}
		}
		if !slices.Contains(m.at[place].logins, login) {
			m.at[place].logins = append(m.at[place].logins, login)
		}
	}
}

// couldHaveMade warns of what the logins of the roll may have made.
func (l *lister) couldHaveMade(ctx context.Context, roll *credential.Roll) error {
	p := preview{api: l.vault.API(), policies: map[string]*string{}}
	m := madeBy{map[string]*made{}, remadeBy(roll)}
	also := alsoReads{map[string]*alsoRead{}, map[string]*powers.ACL{}}
	for _, c := range roll.Credentials {
		if !c.Kind.OpensVault() && !c.Kind.OnlyEnds() || c.Subject == "" || c.Own || c.Problem == credential.SameName {
			continue
		}
		var r credential.Reach
		policies, shown, err := p.names(ctx, c, &r)
		if err != nil {
			return &naming{fmt.Errorf("what %s may have made: %w", c.Name, err), "what a login may have made"}
		}
		if root, err := l.tellRoot(ctx, c, policies); root || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		texts, shown, err := p.textsOf(ctx, policies, shown, &r)
		if err != nil {
			return &naming{fmt.Errorf("what %s may have made: %w", c.Name, err), "what a login may have made"}
		}
		also.add(texts, c.Name)
		own, place := ownPaths(c), ownPlace(c)
		if !shown {
			if err := l.warnMade(ctx, place, "what "+c.Name+" "+notKnown+", for this login may not read "+strings.Join(r.Hidden, "; ")+": run rollcall init again"); err != nil {
				return err
			}
			continue
		}
		found, err := powers.In(own, texts...)
		if err != nil {
			if err := l.warnMade(ctx, place, fmt.Sprintf("what %s %s: %v", c.Name, notKnown, err)); err != nil {
				return err
			}
			continue
		}
		m.add(found, c.Name)
	}
	if err := l.accountsCouldHaveMade(ctx, &p, roll, m, also); err != nil {
		return err
	}
	if err := l.namedCouldHaveMade(ctx, &p, m); err != nil {
		return err
	}
	if err := l.tellAlsoRead(ctx, also, roll); err != nil {
		return err
	}
	for _, place := range slices.Sorted(maps.Keys(m.at)) {
		if m.at[place].what == powers.Audit { // those that are there are looked at where our login is shown them
			if devices, err := l.readVault(ctx, "sys/audit"); err != nil || devices != nil {
				continue
			}
		}
		if err := l.tellMade(ctx, place, *m.at[place]); err != nil {
			return err
		}
	}
	return l.madeBefore(ctx, m.at, m.remade)
}

// ownPaths are the API paths of a login itself.
func ownPaths(c credential.Credential) []string {
	mount, name, ok := cutRole(c.Subject)
	if login := c.Kind.Traits().Login; login != nil && ok {
		return []string{login.Path(mount, name)}
	}
	return nil
}

// ownPlace is where people find a login itself in Vault.
func ownPlace(c credential.Credential) string {
	if accessor, ok := strings.CutPrefix(c.Subject, minted.TokenPrefix); ok && c.Kind.OnlyEnds() {
		return byAccessor + accessor
	}
	for _, own := range ownPaths(c) {
		return own
	}
	return c.Subject
}

// remadeBy are the paths at which logins of the roll are made anew, with their
// ids: they are retired too.
func remadeBy(roll *credential.Roll) map[string]string {
	out := map[string]string{}
	for _, c := range roll.Credentials {
		for _, at := range ownPaths(c) {
			for _, part := range c.Kind.Traits().Login.Makes {
				out[at+part] = c.ID
			}
		}
	}
	return out
}

// madeAt is the role or user that a power over one is about, and else its path.
func madeAt(p powers.Power) (place string, role bool) {
	if p.What != powers.Logins || !p.Exact() {
		return p.Path, false
	}
	for _, kind := range credential.Kinds() {
		login := kind.Traits().Login
		if login == nil {
			continue
		}
		for _, part := range slices.Backward(login.Makes) {
			at, ok := strings.CutSuffix(p.Path, part)
			if _, after, below := strings.Cut(at, "/"+login.Below+"/"); ok && below && !strings.Contains(after, "/") {
				return at, login.SecretIDs
			}
		}
	}
	return p.Path, false
}

func (l *lister) tellMade(ctx context.Context, place string, m made) error {
	who := m.logins[0]
	if n := len(m.logins) - 1; n > 0 {
		who += fmt.Sprintf(" and %s", plural.Count(n, "more login", "more logins"))
	}
	text := fmt.Sprintf("by the policies of %s: %s. Whoever stole that login may have used this before, and what he made outlives it", who, m.what)
	if m.role {
		ids, err := l.secretIDsSince(ctx, place)
		if err != nil {
			return &naming{err, "secret-ids of an AppRole cannot be read"}
		}
		text += ids + ". Rotate that role with the device's (a source of type vault-approle, or a line of a manifest), or destroy what nobody claims"
	} else {
		text += ". Look at what there is at that place, and take away what nobody claims"
	}
	return l.warnMade(ctx, place, text)
}

// warnMade says it unless a person has looked at the place, after the device
// was in foreign hands, and no secret-id was made there since.
func (l *lister) warnMade(ctx context.Context, place, text string) error {
	if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Vault == place }); i >= 0 {
		a := l.c.Accept[i]
		why := l.c.Outdated(a)
		if why == "" {
			ids, err := l.secretIDs(ctx, place)
			if err != nil {
				return &naming{err, "secret-ids of an AppRole cannot be read"}
			}
			since := slices.DeleteFunc(ids.made, func(t time.Time) bool { return t.Before(a.On) })
			if len(since) > 0 {
				why = fmt.Sprintf("what was there on %s, and %d of its secret-ids %s made after that%s: look again, and say when", a.On.UTC().Format(time.RFC3339), len(since), plural.Pick(len(since), "was", "were"), times(since))
			}
		}
		if why == "" {
			l.warn(credential.FindingAccepted, "%s in Vault: what logins of the roll may have made there before %s is accepted by the campaign file: %s", place, a.On.UTC().Format(time.RFC3339), a.Reason)
			return nil
		}
		text += butAccepted + why
	}
	l.warn(credential.FindingMade, "%s: %s%s%s", place, text, acceptMade, paste.Row("vault", place, "on", "TIME"))
	return nil
}

const butAccepted = ". The file accepts "

const acceptMade = "; once that is done, say so: accept: - "

// madeBefore repeats what the last campaign of the device said and nobody has
// accepted since: the right may have been taken from the login, and what it
// made was not.
func (l *lister) madeBefore(ctx context.Context, now map[string]*made, remade map[string]string) error {
	if l.past.last == nil {
		return nil
	}
	for _, w := range l.past.last.Warnings {
		place, text, ok := strings.Cut(w.Detail, ": ")
		text, _, accepts := strings.Cut(text, acceptMade)
		if w.Code != credential.FindingMade || !ok || !accepts || now[place] != nil || remade[place] != "" || strings.Contains(text, notKnown) {
			continue
		}
		text, _, _ = strings.Cut(text, butAccepted)
		if !strings.HasPrefix(text, saidBefore) {
			text = saidBefore + l.past.last.Campaign + ", and nobody has answered since): " + text
		}
		if !slices.ContainsFunc(l.warnings, func(now Warning) bool { return strings.HasPrefix(now.Detail, place+": ") }) {
			if err := l.warnMade(ctx, place, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// notKnown is in what is said of logins whose rights were not seen. Once they
// are, nothing of it is said again.
const notKnown = "may have made or changed in Vault is not known"

const saidBefore = "(said by campaign "

// secretIDsSince says which secret-ids of a role were made while the device was
// in foreign hands.
func (l *lister) secretIDsSince(ctx context.Context, role string) (string, error) {
	ids, err := l.secretIDs(ctx, role)
	switch {
	case err != nil || ids.n == 0 && ids.hidden == "":
		return "", err
	case ids.hidden != "":
		return "; " + ids.hidden, nil
	case len(l.c.Exposure) == 0:
		return fmt.Sprintf("; it has %s (the file names no exposure to tell which are from then)", plural.Count(ids.n, "secret-id", "secret-ids")), nil
	}
	within := slices.DeleteFunc(ids.made, func(t time.Time) bool { return !exposed(l.c.Exposure, t) })
	return fmt.Sprintf("; of its %s %d %s made while the device was exposed%s", plural.Count(ids.n, "secret-id", "secret-ids"), len(within), plural.Pick(len(within), "was", "were"), times(within)), nil
}

// times lists the first of them.
func times(of []time.Time) (out string) {
	slices.SortFunc(of, time.Time.Compare)
	for i, t := range of[:min(len(of), 8)] {
		out += []string{": ", ", "}[min(i, 1)] + t.UTC().Format(time.RFC3339)
	}
	return out
}

// secretIDs are those of a role; of a place that is none there are none.
type secretIDs struct {
	n      int
	made   []time.Time // when each was, of those that were looked up
	hidden string      // why that is not known
}

func (l *lister) secretIDs(ctx context.Context, role string) (out secretIDs, err error) {
	list, err := l.vault.API().Logical().ListWithContext(ctx, role+"/secret-id")
	switch {
	case vault.Answered(err, http.StatusForbidden):
		return secretIDs{hidden: fmt.Sprintf("when its secret-ids were made is not shown to this login (vault list %s/secret-id)", role)}, nil
	case vault.Answered(err, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed):
		return out, nil // no secret-id, or no such role (400), or a mount of another sort
	case err != nil:
		return out, vaultError("list", role+"/secret-id", err)
	}
	accessors := keys(list)
	out.n = len(accessors)
	for _, accessor := range accessors[:min(len(accessors), maxLimits)] {
		at := role + "/secret-id-accessor/lookup"
		id, err := l.vault.API().Logical().WriteWithContext(ctx, at, map[string]any{"secret_id_accessor": accessor})
		switch {
		case vault.Answered(err, http.StatusForbidden):
			return secretIDs{n: out.n, hidden: fmt.Sprintf("it has %s, and when they were made is not shown to this login", plural.Count(out.n, "secret-id", "secret-ids"))}, nil
		case vault.Answered(err, http.StatusNotFound, http.StatusBadRequest) || err == nil && id == nil:
			continue // ended since it was listed
		case err != nil:
			return out, vaultError("update", at, err)
		}
		text, _ := id.Data["creation_time"].(string)
		if made, err := time.Parse(time.RFC3339Nano, text); err == nil {
			out.made = append(out.made, made)
		}
	}
	return out, nil
}

func exposed(all []config.Interval, at time.Time) bool {
	return slices.ContainsFunc(all, func(i config.Interval) bool { return !at.Before(i.From) && (i.To.IsZero() || !at.After(i.To)) })
}
