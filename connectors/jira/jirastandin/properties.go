package jirastandin

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"
)

func checkProperty(key string, value json.RawMessage) error {
	switch {
	case key == "" || utf8.RuneCountInString(key) > 255:
		return refuse(http.StatusBadRequest, "The property key must be between 1 and 255 characters.")
	case !json.Valid(value):
		return refuse(http.StatusBadRequest, "The property value must be valid JSON.")
	case utf8.RuneCount(value) > 32768:
		return refuse(http.StatusBadRequest, "The property value is too long. It must not exceed 32768 characters.")
	}
	return nil
}

// setProperty tells whether the property is new. Properties leave no trace in the history.
func (i *issue) setProperty(key string, value json.RawMessage) (fresh bool) {
	_, known := i.properties[key]
	if i.properties == nil {
		i.properties = map[string]json.RawMessage{}
	}
	i.properties[key] = value
	return !known
}

type propertyKeyWire struct {
	Key  string `json:"key"`
	Self string `json:"self"`
}

// listProperties lists the keys of a ticket's properties.
func (c *call) listProperties() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	keys := []propertyKeyWire{}
	for _, key := range slices.Sorted(maps.Keys(i.properties)) {
		keys = append(keys, propertyKeyWire{Key: key, Self: c.view.self("issue", i.key, "properties", key)})
	}
	return http.StatusOK, map[string]any{"keys": keys}, nil
}

// getProperty shows one property.
func (c *call) getProperty() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	key := c.args["property"]
	value, ok := i.properties[key]
	if !ok {
		return 0, nil, refuse(http.StatusNotFound, "The property %s does not exist.", key)
	}
	return http.StatusOK, propertyWire{Key: key, Value: value}, nil
}

// putProperty sets one property.
func (c *call) putProperty() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	if err := c.need("EDIT_ISSUES", "You do not have permission to edit this issue."); err != nil {
		return 0, nil, err
	}
	if err := checkProperty(c.args["property"], c.body); err != nil {
		return 0, nil, err
	}
	if i.setProperty(c.args["property"], c.body) {
		return http.StatusCreated, nil, nil
	}
	return http.StatusOK, nil, nil
}

// deleteProperty removes one property.
func (c *call) deleteProperty() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	if err := c.need("EDIT_ISSUES", "You do not have permission to edit this issue."); err != nil {
		return 0, nil, err
	}
	key := c.args["property"]
	if _, ok := i.properties[key]; !ok {
		return 0, nil, refuse(http.StatusNotFound, "The property %s does not exist.", key)
	}
	delete(i.properties, key)
	return http.StatusNoContent, nil, nil
}
