package mail

import (
	"net"
	"strconv"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/mail/mailstandin"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	asked := ask()
	decided := connectors.Note{Key: "decided", Body: "Approved by Kim", Asked: &asked}
	connectortest.Run(t, connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			host, port := connectortest.At(t, baseURL)
			conf := Config{Host: host, Port: port, From: "drawbridge@example.com", User: user, Password: connectors.SecretValue(connectortest.Canary)}
			c, err := conf.Open(connectortest.Env(t, connectortest.TrustStandins(t)))
			connectortest.Must(t, err)
			return c
		},
		Peer: func(t *testing.T) connectortest.Peer {
			t.Helper()
			s, err := mailstandin.New(mailstandin.Options{User: user, Password: connectortest.Canary})
			connectortest.Must(t, err)
			t.Cleanup(s.Close)
			return connectortest.Peer{Address: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Acted: func() int { return len(s.Mails()) }}
		},
		Ticket: ask(),
		Note:   connectors.Note{Key: "note", Body: "accepted", Asked: &asked},
		Move:   connectors.Move{Status: "Approved", Asked: &asked, Note: &decided},
	})
}
