package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/vault"
)

// setEnvironment makes what rollcall's processes see: the demo's Vault, the
// local engine, and nothing of the user's own Vault and Temporal.
func (d *demo) setEnvironment() error {
	none := filepath.Join(d.temp, "temporal.toml")
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		return err
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "VAULT_") && !strings.HasPrefix(v, "TEMPORAL_") && !strings.HasPrefix(v, "ROLLCALL_") {
			d.env = append(d.env, v)
		}
	}
	d.env = append(d.env, "TEMPORAL_CONFIG_FILE="+none, "XDG_STATE_HOME="+filepath.Join(d.temp, "state"))
	return nil
}

// engineDir is where `rollcall run` lets its engine keep its database.
func (d *demo) engineDir() string { return filepath.Join(d.temp, "state", "rollcall", "engine") }

// login is Vault's part of an environment: with a token of these policies, or
// the root token if none is named.
func (d *demo) login(ctx context.Context, policies ...string) ([]string, error) {
	token := d.estate.Vault.RootToken().Reveal()
	if len(policies) > 0 {
		made, err := d.estate.Vault.Client().Auth().Token().CreateWithContext(ctx, &vaultapi.TokenCreateRequest{Policies: policies, TTL: "24h"})
		if err != nil {
			return nil, fmt.Errorf("a token for %s: %w", strings.Join(policies, ", "), err)
		}
		token = made.Auth.ClientToken
	}
	return []string{"VAULT_ADDR=" + d.estate.Vault.Address(), "VAULT_TOKEN=" + token}, nil
}

// command is a command of the same executable on the demo's campaign file.
func (d *demo) command(login []string, args ...string) *exec.Cmd {
	cmd := exec.Command(d.Program, args...)
	cmd.Dir = d.temp
	cmd.Env = append(append([]string{}, d.env...), login...)
	return cmd
}

// must runs a short command to its end and returns what it printed. An exit
// code other than 0 is an error that holds the command's own words.
func (d *demo) must(ctx context.Context, login []string, args ...string) (string, error) {
	return d.ends(ctx, 0, login, args...)
}

// ends is must for a command with another exit code.
func (d *demo) ends(ctx context.Context, with int, login []string, args ...string) (string, error) {
	var out, said bytes.Buffer
	cmd := d.command(login, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	c, err := start(cmd)
	if err != nil {
		return "", err
	}
	code, err := c.wait(ctx)
	if err == nil && code != with {
		err = fmt.Errorf("rollcall %s ended with exit code %d: %s%s", args[0], code, &out, &said)
	}
	return out.String(), err
}

func (d *demo) init(ctx context.Context) (string, error) {
	admin, err := d.login(ctx)
	if err != nil {
		return "", err
	}
	if _, err = d.must(ctx, admin, "init"); err != nil {
		return "", err
	}
	return "2 mounts, 1 signing key, 4 policies", d.hire()
}

// rotate is the campaign, as a person runs it. Its progress goes to the
// terminal as it is; its report is not shown, since the last screen tells it.
// The single reset comes straight before it.
func (d *demo) rotate(ctx context.Context) (string, error) {
	login, err := d.login(ctx, vault.OperatorPolicy, vault.WorkerPolicy, vault.LedgerPolicy)
	if err != nil {
		return "", err
	}
	earlier := d.ledgers()
	if err := d.resetOnce(ctx); err != nil {
		return "", err
	}
	cmd := d.command(login, "run")
	cmd.Stdout, cmd.Stderr = io.Discard, d.Err
	c, err := start(cmd)
	if err != nil {
		return "", err
	}
	played := make(chan error, 1)
	playing, enough := context.WithCancel(ctx)
	defer enough()
	go func() { played <- d.playPeople(playing) }()
	code, err := c.wait(ctx)
	if err == nil {
		time.AfterFunc(2*time.Minute, enough) // what is not handed over by now never is
		err = <-played
	}
	if err != nil {
		return "", err
	}
	written := d.ledgers()
	if len(written) == len(earlier) {
		return "", fmt.Errorf("rollcall run ended with exit code %d and wrote no ledger to %s", code, d.Dir)
	}
	// Names end in the time of the start, so the last one is the newest.
	d.folder = filepath.Dir(written[len(written)-1])
	r, err := ledger.OpenReader(d.folder)
	if err != nil {
		return "", err
	}
	if d.state, err = r.State(ctx); err != nil {
		return "", err
	}
	if d.state.ClosedAt.IsZero() { // people were slower than all else
		again := d.command(login, "run")
		again.Stdout, again.Stderr = io.Discard, d.Err
		if c, err = start(again); err == nil {
			code, err = c.wait(ctx)
		}
		if err == nil {
			d.state, err = r.State(ctx)
		}
		if err != nil {
			return "", err
		}
	}
	d.checkCampaign(code)
	return d.count(ledger.Dead) + " stolen values are dead", nil
}

// ledgers are the ledgers of this demo and earlier ones, in the order of their
// time.
func (d *demo) ledgers() []string {
	// The one error is that of a malformed pattern.
	found, _ := filepath.Glob(filepath.Join(d.Dir, estate.Device+"-*", "ledger.json"))
	return found
}
