package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// What a person changes can be proved at doors where Vault has its value: the
// new one, which Rollcall made or the person wrote there, and the stolen one.

// atDoors reads what a row of what a person does says of its doors.
func (t *table) atDoors(c *config.Campaign, r row, cand *Candidate) {
	task := cand.Task
	task.Login = r.cells["login"]
	if len(task.Login) > mostEndText {
		t.problem(r.fileLine, "login: longer than %d bytes", mostEndText)
	}
	cand.Doors = t.doors(c, r, task)
	text := r.cells["path"]
	if text == "" {
		return
	}
	p, ok := config.ParseReference(text)
	if !ok {
		t.problem(r.fileLine, "path: must be a Vault reference, mount/path#field: where Vault holds the value, and the person writes the new one")
		return
	}
	var err error
	if p.Field, err = cand.Kind.Traits().FieldsOf(p.Field); err != nil {
		t.problem(r.fileLine, "path: %v", err)
		return
	}
	if p.Mount == c.Vault.Mount {
		t.problem(r.fileLine, "path: lies on Rollcall's own mount, where nobody else writes")
		return
	}
	task.At = &p
	if task.Make {
		task.Do = append(task.Do, "write the new value to "+p.String()+" too, before you say that it is done: for what reads it there, and for its doors, which are asked with it once more at the end")
	} else {
		task.Do = append(task.Do, "write the new value to "+p.String()+" before you say that it is done: it is tried at the doors that take it")
	}
}

// doorsOfTask are the doors of what a person does. What an earlier campaign
// left there is asked nowhere, for nobody is asked to do it.
func (l *lister) doorsOfTask(roll *credential.Roll, c *credential.Credential) {
	if c.Problem != "" {
		return
	}
	l.olderStolen(c)
	login := c.Task.Login
	if login == "" {
		login = c.Name
	}
	l.doorUses.note(l.c, *c, login)
	doors := doorsOf(l.c, *c, l.taskDoors[c.ID], login, login)
	switch {
	case len(doors) == 0:
	case !c.Task.Known():
		roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingDoorsShowLess,
			Detail: fmt.Sprintf("door %s takes it and cannot be asked: Vault has no value of it; give its row a path where the person writes the new one (path: mount/path#field), or have Rollcall make it (make: true)", doors[0].Door)})
	default:
		c.Doors = doors
	}
}

// olderStolen takes over what an earlier campaign knew and did not bring to its
// end: as stolen, for the value there may be a newer one by now, in whichever
// field; and accounts with its login that have to refuse it too, but for those
// of which a person has answered since.
func (l *lister) olderStolen(c *credential.Credential) {
	if c.Task.At == nil {
		return
	}
	for _, k := range l.past.tasks {
		if k.Task == nil || !sameTask(k.Credential, *c) {
			continue
		}
		c.Task.Stolen = append(c.Task.Stolen, k.Task.Stolen...)
		for _, at := range k.Task.Elsewhere {
			if !slices.Contains(c.Task.Elsewhere, at) && !l.answeredAt(at) {
				c.Task.Elsewhere = append(slices.Clone(c.Task.Elsewhere), at)
			}
		}
	}
}

// answeredAt reports whether a person leaves an account out, or accepts that
// those of its authority are left alone.
func (l *lister) answeredAt(at credential.AccountAt) bool {
	return l.nameAccepted(at.Authority) || slices.ContainsFunc(l.c.Exclude, func(e config.Exclude) bool {
		return e.Account != "" && (strings.EqualFold(e.Account, at.Subject) || strings.EqualFold(e.Account, at.Name) || dnKey(e.Account) == dnKey(at.Name))
	})
}

// lookAtTaskPlaces notes which version is the stolen one, of what people write
// in Vault.
func (l *lister) lookAtTaskPlaces(ctx context.Context, roll *credential.Roll) error {
	for i := range roll.Credentials {
		c := &roll.Credentials[i]
		if c.Task == nil || c.Task.At == nil || c.Problem != "" {
			continue
		}
		p, err := l.cut(ctx, *c.Task.At)
		if err != nil {
			return err
		}
		row := rowOf(c.Reasons[0])
		if !l.isPlace(ctx, p) {
			return fmt.Errorf("%s: path: names no mount of Vault that this login sees, and what stands there is not repeated; nothing was listed and nothing was changed: correct it", row)
		}
		c.Task.At = &p
		live, err := l.vault.ReadLive(ctx, p, 0)
		switch problem := placeProblem(err); {
		case problem != "":
			return fmt.Errorf("%s: path: %w; nothing was listed and nothing was changed: correct it", row, err)
		case vault.IsDenied(err):
			continue // an operator's login, which reads no values
		case err != nil:
			return fmt.Errorf("looking at the path of %s: %w; the listing was given up and nothing was changed", row, err)
		}
		if live.Version == 0 && !slices.Contains(l.newTasks, c.ID) {
			l.unmade = append(l.unmade, unmade{p, c.Name, row})
		}
		if live.Version > 0 {
			l.held.put(p, l.heldOf(live))
		}
		if err := l.noteStolen(ctx, roll, c, live); err != nil {
			return err
		}
		if len(c.Doors) > 0 && len(c.Task.Stolen) == 0 {
			why := "Vault holds no value at the path of its row"
			if live.Problem != "" {
				why = "what Vault holds at the path of its row cannot be offered as it is (" + string(live.Problem) + ")"
			}
			roll.Findings[c.ID] = append(roll.Findings[c.ID], showsLess(why))
		}
	}
	for _, c := range roll.Credentials {
		if c.Task != nil && c.Task.At == nil && len(c.Doors) > 0 {
			roll.Findings[c.ID] = append(roll.Findings[c.ID], showsLess("nothing says where Vault holds its stolen value (path)"))
		}
	}
	return nil
}

// noteStolen notes the versions of a task's path that count as stolen: what
// lies there now, but for what Rollcall handed over itself, and what was there
// while the device was in foreign hands.
func (l *lister) noteStolen(ctx context.Context, roll *credential.Roll, c *credential.Credential, live vault.Live) error {
	p := *c.Task.At
	givenUp := func(err error) error {
		return fmt.Errorf("looking at what was stolen of %s at %s: %w; the listing was given up and nothing was changed", c.Name, p, err)
	}
	c.Task.Stolen = slices.CompactFunc(c.Task.Stolen, credential.StolenVersion.Same)
	knows := func(v credential.StolenVersion) bool { return slices.ContainsFunc(c.Task.Stolen, v.Same) }
	then, now := ownmount.Then{}, []vault.Live{live}
	if l.c.SaysWhen() {
		var err error
		if then, err = l.vault.HeldThen(ctx, l.c, p, live); err != nil {
			return givenUp(err)
		}
	}
	if c.Task.Make && live.Found {
		staged, _, err := l.vault.ReadStaged(ctx, c.ID)
		if err != nil && !vault.IsDenied(err) {
			return givenUp(err)
		}
		if !staged.Secret.IsZero() && live.Shows(staged.Secret) {
			now = nil
		}
	}
	for _, was := range append(then.Lives, now...) {
		v := credential.StolenVersion{Version: was.Version, Written: was.Written}
		if (was.Found || !was.PrivateKey().IsZero()) && !knows(v) && (now != nil || was.Version != live.Version) {
			c.Task.Stolen = append(c.Task.Stolen, v)
		}
	}
	lost := slices.ContainsFunc(then.Lost, func(v credential.StolenVersion) bool {
		return v.Version > 0 && !knows(v) || v.Version == 0 && len(l.tasksBefore(c)) == 0
	})
	var unknown credential.StolenVersion // of which nobody has the value, so that the proof is people's word
	if lost && !knows(unknown) {
		c.Task.Stolen = append(c.Task.Stolen, unknown)
	}
	if len(c.Doors) > 0 && knows(unknown) {
		why := "cannot be read any more"
		if then.Hidden {
			why = "is not shown to this login (read on " + p.Mount + "/metadata/" + p.Path + ": run rollcall init again)"
		}
		roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingDoorsShowLess,
			Detail: "what lay at the path of its row while the device was in foreign hands " + why + ": its doors are asked without that, and it is dead by people's word"})
	}
	return nil
}

// tasksFields are the fields that rows of what a person does name, by secret.
func (l *lister) tasksFields() map[secretPath][]string {
	fields := map[secretPath][]string{}
	for _, t := range l.tasks {
		if t.Task.At != nil {
			fields[secretPathOf(*t.Task.At)] = append(fields[secretPathOf(*t.Task.At)], t.Task.At.Field)
		}
	}
	return fields
}

// withoutTasksPlaces are the candidates but for secrets that say of nobody
// whose they are, where a row of what a person does names them: that is whose
// they are. One with more that looks like a credential stays.
func (l *lister) withoutTasksPlaces() []Candidate {
	fields := l.tasksFields()
	if len(fields) == 0 {
		return l.candidates
	}
	return slices.DeleteFunc(slices.Clone(l.candidates), func(c Candidate) bool {
		if c.Path == nil || c.Account != "" || c.Found != nil {
			return false
		}
		taken := fields[secretPathOf(*c.Path)]
		if !c.AnyField {
			return slices.Contains(taken, c.Path.Field)
		}
		return taken != nil && c.Fields != nil && len(without(secretsIn(&l.held, c), taken)) == 0
	})
}

// sharedWithTasks keeps an account open of which a path is also where a person
// writes: what Rollcall put there would pass for the person's new value.
func sharedWithTasks(roll *credential.Roll) {
	rows := map[credential.Path]string{}
	for _, c := range roll.Credentials {
		if c.Task != nil && c.Task.At != nil && c.Problem == "" {
			rows[*c.Task.At] = rowOf(c.Reasons[0])
		}
	}
	for i := range roll.Credentials {
		c := &roll.Credentials[i]
		for _, p := range c.Paths {
			row, shared := rows[p]
			if !shared || c.Task != nil || c.Subject == "" {
				continue
			}
			if c.Problem == "" {
				c.Problem = credential.SharedPath
			}
			roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingSharedPath,
				Detail: fmt.Sprintf("%s is where a person writes another secret too (%s), and can hold the value of one: correct that row, or what names the path for this account", p, row)})
		}
	}
}

func showsLess(why string) credential.Finding {
	return credential.Finding{Code: credential.FindingDoorsShowLess, Detail: why + ": its doors are asked for the new value alone, and it is dead by people's word"}
}
