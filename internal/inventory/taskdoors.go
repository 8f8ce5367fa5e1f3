package inventory

import (
	"context"
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
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
		task.Do = append(task.Do, "write the new value to "+p.String()+" too, for what reads it there")
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

// olderStolen takes over what an earlier campaign knew as stolen and did not
// bring to its end: the value there may be a newer one by now.
func (l *lister) olderStolen(c *credential.Credential) {
	if c.Task.At == nil {
		return
	}
	for _, k := range l.past.tasks {
		if k.ID == c.ID && k.Task != nil && k.Task.At != nil && k.Task.At.Field == c.Task.At.Field {
			c.Task.Stolen = append(c.Task.Stolen, k.Task.Stolen...)
		}
	}
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
		c.Task.Stolen = slices.CompactFunc(c.Task.Stolen, credential.StolenVersion.Same)
		if live.Found {
			now := credential.StolenVersion{Version: live.Version, Written: live.Written}
			if !slices.ContainsFunc(c.Task.Stolen, now.Same) {
				c.Task.Stolen = append(c.Task.Stolen, now)
			}
		}
		if len(c.Doors) > 0 && len(c.Task.Stolen) == 0 {
			roll.Findings[c.ID] = append(roll.Findings[c.ID], showsLess("Vault holds no value at the path of its row"))
		}
	}
	for _, c := range roll.Credentials {
		if c.Task != nil && c.Task.At == nil && len(c.Doors) > 0 {
			roll.Findings[c.ID] = append(roll.Findings[c.ID], showsLess("nothing says where Vault holds its stolen value (path)"))
		}
	}
	return nil
}

func showsLess(why string) credential.Finding {
	return credential.Finding{Code: credential.FindingDoorsShowLess, Detail: why + ": its doors are asked for the new value alone, and it is dead by people's word"}
}
