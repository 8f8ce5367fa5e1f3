package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault"
)

// What only people can do, a script does in the demo, with logins to Vault of
// two people that it makes up.

// tasks is the list that the company keeps of it. Both lines are answered by
// it, and by nothing else.
const tasks = `- {kind: shared-secret, name: cluster, line: cluster-secret, owner: people/jo, due: 8h, ends: [the new node, {name: its partner, owner: people/kim}]}
- {kind: purge, name: old backups, line: old-backups, owner: people/kim, due: 2d, ends: [the file server]}
`

// done is who says what, in the order in which the script plays it.
var done = []struct{ who, task, end string }{{"jo", "cluster", "the new node"}, {"kim", "cluster", "its partner"}, {"kim", "old backups", "the file server"}}

// listTasks puts them into the campaign file, and takes their lines out of the
// answers: the list covers them.
func (d *demo) listTasks() error {
	answers := filepath.Join(filepath.Dir(d.campaign), "answers.yaml")
	text, err := os.ReadFile(answers)
	if err != nil {
		return err
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "  cluster-secret:") && !strings.HasPrefix(line, "  old-backups:") {
			kept = append(kept, line)
		}
	}
	file, err := os.ReadFile(d.campaign)
	if err != nil {
		return err
	}
	with := strings.Replace(string(file), "sources:\n", "sources:\n  - {name: people, type: manifest, file: tasks.yaml}\n", 1)
	return errors.Join(
		os.WriteFile(answers, []byte(strings.Join(kept, "")), 0o600),
		os.WriteFile(d.campaign, []byte(with), 0o600),
		os.WriteFile(filepath.Join(filepath.Dir(d.campaign), "tasks.yaml"), []byte(tasks), 0o600))
}

// hire gives jo and kim logins to Vault, with the policy for tasks.
func (d *demo) hire() error {
	api := d.estate.Vault.Client()
	if err := api.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}); err != nil {
		return fmt.Errorf("an auth mount for people: %w", err)
	}
	d.people = map[string]string{}
	for _, d2 := range done {
		if d.people[d2.who] != "" {
			continue
		}
		password := rand.Text()
		if _, err := api.Logical().Write("auth/people/users/"+d2.who, map[string]any{"password": password, "token_policies": vault.TasksPolicy}); err != nil {
			return fmt.Errorf("a login for %s: %w", d2.who, err)
		}
		in, err := api.Logical().Write("auth/people/login/"+d2.who, map[string]any{"password": password})
		if err != nil {
			return fmt.Errorf("the login of %s: %w", d2.who, err)
		}
		d.people[d2.who] = in.Auth.ClientToken
	}
	return nil
}

// playPeople does as people do, while the campaign runs: each waits until the
// task is handed over, and says that it is done.
func (d *demo) playPeople(ctx context.Context) error {
	for _, word := range done {
		login := []string{"VAULT_ADDR=" + d.estate.Vault.Address(), "VAULT_TOKEN=" + d.people[word.who]}
		for {
			_, err := d.must(ctx, login, "tasks", "done", word.task, "--end", word.end, "--note", "the demo's script")
			if err == nil {
				break
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return err
			}
		}
	}
	return nil
}

// peopleLine is what became of their tasks.
func (d *demo) peopleLine() string {
	n, by := 0, []string{}
	for _, l := range d.state.Tasks() {
		if l.Outcome == ledger.Dead {
			n++
			by = append(by, l.Name)
		}
	}
	return fmt.Sprintf("%d of %s done (%s), by a script that plays two people with logins of their own: attested, no server was asked",
		n, report.Plural(len(d.state.Tasks()), "task", "tasks"), strings.Join(by, ", "))
}
