package powers

import (
	"os"
	"testing"

	"rollcall/internal/lab"
	"rollcall/internal/vault/vaulttest"
)

var server *lab.Vault

func TestMain(m *testing.M) { os.Exit(vaulttest.Run(m, &server)) }
