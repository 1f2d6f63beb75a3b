// Tells Drawbridge at once that a ticket or one of its approvals was changed. Make two business rules (System Definition,
// Business Rules, New; tick Advanced; When: async; tick Insert and Update; leave the condition empty), one for the table
// Task [task] and one for the table Approval [sysapproval_approver], and put this whole text into the Script of both.
//
// Set these system properties before (sys_properties.list; type string; Private; read and write roles: admin):
//
//   drawbridge.url      https://bridge.example.com/in/servicenow
//   drawbridge.secret   at least 32 random characters, the same as in the connection's document
//   drawbridge.user     the User ID of Drawbridge's account
//
// The script sends no text of a ticket. A notice that is lost is made up for by Drawbridge, which asks for changed tickets
// as well.
(function executeRule(current, previous) {
    var url = gs.getProperty('drawbridge.url');
    var secret = gs.getProperty('drawbridge.secret');
    var user = gs.getProperty('drawbridge.user');
    if (!url || !secret || !user) {
        return;
    }
    var task = current;
    if (current.getTableName() == 'sysapproval_approver') {
        task = new GlideRecord('task');
        if (!task.get(current.getValue('sysapproval'))) {
            return;
        }
    }
    if (task.getValue('sys_created_by') != user || current.getValue('sys_updated_by') == user) {
        return;
    }
    var body = JSON.stringify({
        event: task == current ? 'ticket.changed' : 'approval.changed',
        table: task.getValue('sys_class_name'),
        sys_id: task.getUniqueValue(),
        number: task.getValue('number'),
        event_id: current.getUniqueValue() + ':' + current.getValue('sys_mod_count')
    });
    var time = String(Math.floor(new GlideDateTime().getNumericValue() / 1000));
    var mac = new CertificateEncryption().generateMac(gs.base64Encode(secret), 'HmacSHA256', time + '.' + body);
    try {
        var request = new sn_ws.RESTMessageV2();
        request.setEndpoint(url);
        request.setHttpMethod('post');
        request.setHttpTimeout(10000);
        request.setRequestHeader('Content-Type', 'application/json');
        request.setRequestHeader('X-Drawbridge-Timestamp', time);
        request.setRequestHeader('X-Drawbridge-Signature', 'sha256=' + mac);
        request.setRequestBody(body);
        var status = request.execute().getStatusCode();
        if (status < 200 || status > 299) {
            gs.warn('Drawbridge: HTTP ' + status);
        }
    } catch (e) {
        gs.warn('Drawbridge: ' + e.message);
    }
})(current, previous);
