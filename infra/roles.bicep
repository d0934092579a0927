// All role assignments, each on the smallest possible resource, with the reason in its description.
// tests/infra/test_roles.py compares them with the calls in the code.

@description('The app\'s identity.')
param identityName string

@description('Event Grid topic of the account with images.')
param topicName string

@description('Object id of the operator. Empty: no one.')
param operatorId string

@description('Account with images, tables and queues.')
param imagesAccountName string

@description('Containers that the app reads and writes.')
param imageContainers string[]

@description('Container of the backups of records.')
param backupContainer string

@description('Container of events that could not be delivered.')
param deadLetterContainer string

@description('Queues that the app and its host read and write.')
param queues string[]

@description('Queue of images that wait.')
param deferredQueue string

@description('Queue of events of deleted images.')
param deletedQueue string

@description('Tables of the app.')
param tables string[]

@description('Account of the Functions host.')
param hostAccountName string

@description('Application Insights resource.')
param insightsName string

@description('Resource id of the Vision account.')
param visionAccountId string

@description('Resource id of the account with the caption model.')
param modelAccountId string

var containers = concat(imageContainers, [backupContainer, deadLetterContainer])

// Built-in roles and their ids, which are the same in every subscription.
var role = {
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  'Storage Blob Data Contributor': 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  'Storage Queue Data Contributor': '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  'Storage Queue Data Message Sender': 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  'Cognitive Services User': 'a97b65f3-24c7-4388-baec-2e87135dc908'
  'Cognitive Services OpenAI User': '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd'
  'Monitoring Metrics Publisher': '3913510d-42f4-4e42-8a64-420c390055eb'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: identityName }
resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = { name: topicName }
resource insights 'Microsoft.Insights/components@2020-02-02' existing = { name: insightsName }
resource host 'Microsoft.Storage/storageAccounts@2026-06-01' existing = { name: hostAccountName }

resource images 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: imagesAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource container 'containers' existing = [for name in containers: { name: name }]
    resource backups 'containers' existing = { name: backupContainer }
    resource deadLetters 'containers' existing = { name: deadLetterContainer }
  }

  resource queueService 'queueServices' existing = {
    name: 'default'

    resource queue 'queues' existing = [for name in queues: { name: name }]
    resource deferred 'queues' existing = { name: deferredQueue }
    resource deleted 'queues' existing = { name: deletedQueue }
  }

  resource tableService 'tableServices' existing = {
    name: 'default'

    resource table 'tables' existing = [for name in tables: { name: name }]
  }
}

// Properties of an assignment in this resource group.
func given(roleId string, principalId string, principalType string?, why string) object => {
  roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
  principalId: principalId
  principalType: principalType
  description: why
}

// ---- The app, on the account with images: on each container, queue and table, not on the account,
// ---- so that it cannot create others ------------------------------------------------------------

resource appOnContainers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in imageContainers: {
    scope: images::blobs::container[i]
    name: guid(images::blobs::container[i].id, identity.id, role['Storage Blob Data Contributor'])
    properties: given(
      role['Storage Blob Data Contributor'],
      identity.properties.principalId,
      'ServicePrincipal',
      'The app reads and lists images, and writes what is uploaded through it; the host reads what the event names.'
    )
  }
]

resource appOnBackups 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: images::blobs::backups
  name: guid(images::blobs::backups.id, identity.id, role['Storage Blob Data Contributor'])
  properties: given(
    role['Storage Blob Data Contributor'],
    identity.properties.principalId,
    'ServicePrincipal',
    'The app writes a backup of all records every night, and deletes those that are too old; the role deletes no versions.'
  )
}

resource appOnQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in queues: {
    scope: images::queueService::queue[i]
    name: guid(images::queueService::queue[i].id, identity.id, role['Storage Queue Data Contributor'])
    properties: given(
      role['Storage Queue Data Contributor'],
      identity.properties.principalId,
      'ServicePrincipal',
      'The app sends messages and asks how many there are; the host takes, hides and deletes them, and moves what fails to poison queues.'
    )
  }
]

resource appOnTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in tables: {
    scope: images::tableService::table[i]
    name: guid(images::tableService::table[i].id, identity.id, role['Storage Table Data Contributor'])
    properties: given(
      role['Storage Table Data Contributor'],
      identity.properties.principalId,
      'ServicePrincipal',
      'The app reads, writes and deletes records, index rows, answers to reuse, bursts, usage, state and removed records.'
    )
  }
]

// ---- The app, on the host's account: AzureWebJobsStorage ----------------------------------------

resource appOnHostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: host
  name: guid(host.id, identity.id, role['Storage Blob Data Owner'])
  properties: given(
    role['Storage Blob Data Owner'],
    identity.properties.principalId,
    'ServicePrincipal',
    'The host makes containers for its keys, locks and timers, and reads the package of the app.'
  )
}

resource appOnHostQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: host
  name: guid(host.id, identity.id, role['Storage Queue Data Contributor'])
  properties: given(
    role['Storage Queue Data Contributor'],
    identity.properties.principalId,
    'ServicePrincipal',
    'The host makes the queue that blob events go through, and works on it.'
  )
}

resource appOnHostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: host
  name: guid(host.id, identity.id, role['Storage Table Data Contributor'])
  properties: given(
    role['Storage Table Data Contributor'],
    identity.properties.principalId,
    'ServicePrincipal',
    'The host notes its own diagnostic events in a table that it makes.'
  )
}

// ---- The app, on the services -------------------------------------------------------------------

module appOnVision 'account-role.bicep' = {
  scope: resourceGroup(split(visionAccountId, '/')[2], split(visionAccountId, '/')[4])
  params: {
    accountId: visionAccountId
    identityId: identity.id
    principalId: identity.properties.principalId
    roleId: role['Cognitive Services User']
    why: 'The app has images analysed. The role may read keys as well, which are of no use: a new account takes none. No smaller built-in role may analyse.'
  }
}

module appOnModels 'account-role.bicep' = {
  scope: resourceGroup(split(modelAccountId, '/')[2], split(modelAccountId, '/')[4])
  params: {
    accountId: modelAccountId
    identityId: identity.id
    principalId: identity.properties.principalId
    roleId: role['Cognitive Services OpenAI User']
    why: 'The app has captions written. The role reads no keys and deploys no models.'
  }
}

resource appOnInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, identity.id, role['Monitoring Metrics Publisher'])
  properties: given(
    role['Monitoring Metrics Publisher'],
    identity.properties.principalId,
    'ServicePrincipal',
    'Host and app send spans and log lines to a resource that takes no key.'
  )
}

// ---- Event Grid ---------------------------------------------------------------------------------

resource topicOnDeletedQueue 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: images::queueService::deleted
  name: guid(images::queueService::deleted.id, topic.id, role['Storage Queue Data Message Sender'])
  properties: given(
    role['Storage Queue Data Message Sender'],
    topic.identity.principalId,
    'ServicePrincipal',
    'Event Grid tells the app of deleted images through this queue.'
  )
}

resource topicOnDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: images::blobs::deadLetters
  name: guid(images::blobs::deadLetters.id, topic.id, role['Storage Blob Data Contributor'])
  properties: given(
    role['Storage Blob Data Contributor'],
    topic.identity.principalId,
    'ServicePrincipal',
    'Event Grid keeps events here that it could not deliver.'
  )
}

// ---- The operator: the command line (drop, show, reprocess), and dead letters -------------------

resource operatorOnContainers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in containers: if (!empty(operatorId)) {
    scope: images::blobs::container[i]
    name: guid(images::blobs::container[i].id, operatorId, role['Storage Blob Data Contributor'])
    properties: given(
      role['Storage Blob Data Contributor'],
      operatorId,
      null,
      'Dropping images, making and reading backups, and reading events that could not be delivered.'
    )
  }
]

resource operatorOnDeferred 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: images::queueService::deferred
  name: guid(images::queueService::deferred.id, operatorId, role['Storage Queue Data Contributor'])
  properties: given(
    role['Storage Queue Data Contributor'],
    operatorId,
    null,
    'Having images captioned again, and seeing how many wait.'
  )
}

resource operatorOnTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in tables: if (!empty(operatorId)) {
    scope: images::tableService::table[i]
    name: guid(images::tableService::table[i].id, operatorId, role['Storage Table Data Contributor'])
    properties: given(
      role['Storage Table Data Contributor'],
      operatorId,
      null,
      'Showing records, having images captioned again, and removing answers to deleted images.'
    )
  }
]
