package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
)

// byAPI is who does what is asked with the bootstrap token.
const byAPI = "bootstrap token"

// question reads what a request asks for. Nothing at all is an empty question.
func question(c echo.Context, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, 1<<20))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("there is more than one JSON value")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return &gateway.Refusal{Status: http.StatusBadRequest, Text: "the body is a JSON object with the documented names only", Cause: err}
	}
	return nil
}

func (s *server) connections(c echo.Context) error {
	list, err := s.Gateway.Connections(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

func (s *server) oneConnection(c echo.Context) error {
	view, err := s.Gateway.Connection(c.Request().Context(), c.Param("connection"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, view)
}

// sendSample sends the samples of a kind or name, all without one, through the front door.
func (s *server) sendSample(c echo.Context) error {
	var q struct {
		Kind string `json:"kind"`
	}
	if err := question(c, &q); err != nil {
		return err
	}
	samples, err := s.Gateway.Samples(c.Param("connection"), q.Kind)
	if err != nil {
		return err
	}
	sent, err := s.Gateway.SendSamples(c.Request().Context(), c.Param("connection"), samples, byAPI)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, map[string]any{"sent": sent})
}

// samples lists what can be sent.
func (s *server) samples(c echo.Context) error {
	samples, err := s.Gateway.Samples(c.Param("connection"), c.QueryParam("kind"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"samples": sampleViews(samples)})
}

type sampleView struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Body     string `json:"body"`
	Template string `json:"template,omitempty"`
}

func sampleViews(samples []connectors.Sample) []sampleView {
	views := make([]sampleView, len(samples))
	for i, s := range samples {
		views[i] = sampleView{s.Kind, s.Name, string(s.Body), s.Template}
	}
	return views
}

// testConnection asks the vendor whether the connection works, or sends a record to it and shows the exchange. That it does
// not work is an answer, not a fault of ours.
func (s *server) testConnection(c echo.Context) error {
	var q struct {
		Send bool `json:"send"`
	}
	if err := question(c, &q); err != nil {
		return err
	}
	if q.Send {
		trial, err := s.Gateway.TrySink(c.Request().Context(), c.Param("connection"), byAPI)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, trial)
	}
	err := s.Gateway.TestConnection(c.Request().Context(), c.Param("connection"))
	if _, refused := errors.AsType[*gateway.Refusal](err); refused {
		return err
	}
	answer := map[string]any{"works": err == nil}
	if err != nil {
		answer["reason"] = err.Error()
	}
	return c.JSON(http.StatusOK, answer)
}

func (s *server) setState(c echo.Context) error {
	var q struct {
		State string `json:"state"`
		Why   string `json:"why"`
	}
	if err := question(c, &q); err != nil {
		return err
	}
	changed, err := s.Gateway.SetConnectionState(c.Request().Context(), c.Param("connection"), q.State, byAPI, q.Why)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"state": q.State, "changed": changed})
}

// clearQueue wants the number that the caller was shown, so that nothing is given up that nobody has seen.
func (s *server) clearQueue(c echo.Context) error {
	var q struct {
		Count *int64 `json:"count"`
		Why   string `json:"why"`
	}
	if err := question(c, &q); err != nil {
		return err
	}
	if q.Count == nil || *q.Count < 0 {
		return &gateway.Refusal{Status: http.StatusBadRequest, Text: "count is how many deliveries are to be given up: pending and dead, as the connection shows them"}
	}
	cleared, err := s.Gateway.ClearQueue(c.Request().Context(), c.Param("connection"), *q.Count, byAPI, q.Why)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, cleared)
}

func (s *server) deleteConnection(c echo.Context) error {
	var may gateway.Deleting
	for name, into := range map[string]*bool{"cancel": &may.Cancel, "rules": &may.Rules} {
		text := c.QueryParam(name)
		if text == "" {
			continue
		}
		value, err := strconv.ParseBool(text)
		if err != nil {
			return &gateway.Refusal{Status: http.StatusBadRequest, Text: fmt.Sprintf("%s is true or false", name)}
		}
		*into = value
	}
	deleted, err := s.Gateway.DeleteConnection(c.Request().Context(), c.Param("connection"), may, byAPI, c.QueryParam("why"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, deleted)
}

func (s *server) notices(c echo.Context) error {
	list, err := s.Gateway.Notices(c.Request().Context(), c.QueryParam("closed") == "true")
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

func (s *server) closeNotice(c echo.Context) error {
	closed, err := s.Gateway.CloseNotice(c.Request().Context(), c.Param("id"), byAPI)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, closed)
}
