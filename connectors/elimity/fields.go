package elimity

import "github.com/drawbridge-itsm/drawbridge/connectors"

// fieldEffect is ours: what a change comes to, in the form State looks for it. Decisions carry it back.
const fieldEffect = "effect"

const entityDoc = "an object of id, name, sourceId, sourceName and type"

// commonFields are in every body.
var commonFields = []connectors.Field{
	{ID: "comment", Type: "text", Doc: "the requester's own words"},
	{ID: "requestedAt", Type: "time", Doc: "when it was asked for, as Elimity writes it"},
	{ID: "requestedBy", Type: "text", Doc: "who asks, by mail address"},
}

// changeFields are all documented members of change requests and of the changes of a review. Which of them are there
// depends on event.type.
var changeFields = append([]connectors.Field{
	{ID: "attributeTypeId", Type: "text", Doc: "attributeAssignment: the attribute type's id"},
	{ID: "attributeTypeName", Type: "text", Doc: "attributeAssignment: its name"},
	{ID: "campaignName", Type: "text", Doc: "accessReviewSubmission and its changes: the review's campaign"},
	{ID: "columnEntity", Type: "object", Doc: "relationshipChange: the review's column, " + entityDoc},
	{ID: fieldEffect, Type: "text", Doc: "what the change comes to, as JSON, to look for it later; made here"},
	{ID: "entity", Type: "object", Doc: "attributeAssignment, entityRemoval, rowRemoval: what is changed, " + entityDoc},
	{ID: "fromEntity", Type: "object", Doc: "relationshipRemoval: where the relationship starts, " + entityDoc},
	{ID: "operation", Type: "text", Allowed: []string{"add", "remove"}, Doc: "relationshipChange: add grants access"},
	{ID: "relationshipChanges", Type: "list", Doc: "accessReviewSubmission: objects of operation, rowEntity, columnEntity and comment"},
	{ID: "reviewCreatedBy", Type: "text", Doc: "accessReviewSubmission and its changes: who made the review, by mail address"},
	{ID: "rowEntity", Type: "object", Doc: "relationshipChange: the review's row, " + entityDoc},
	{ID: "rowRemovals", Type: "list", Doc: "accessReviewSubmission: objects of entity and comment"},
	{ID: "toEntity", Type: "object", Doc: "relationshipRemoval: where the relationship ends, " + entityDoc},
	{ID: "value", Type: "object", Doc: "attributeAssignment: an object of type, current and requested"},
}, commonFields...)

// madeFields are what is known of a change that is found to be made.
var madeFields = []connectors.Field{
	{ID: fieldEffect, Type: "text", Doc: "what was looked for, as JSON"},
	{ID: "reloadedAt", Type: "time", Doc: "when the data that shows it was reloaded"},
}

var unknownFields = append([]connectors.Field{{ID: "type", Type: "text", Doc: "what Elimity calls it"}}, commonFields...)
