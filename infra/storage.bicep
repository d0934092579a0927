// Two accounts: one for images and everything that the app stores about them, one for the Functions
// host, which must be able to create containers and queues. The app cannot do that on the first.

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Name of the account with images, tables and queues.')
param imagesAccountName string

@description('Name of the account of the Functions host.')
param hostAccountName string

@description('Name of the Event Grid topic of the account with images.')
param topicName string

@description('Containers: the images, what is made from them, and events that could not be delivered.')
param containers string[]

@description('Queues of the app, and those where the host puts what it gave up.')
param queues string[]

@description('Tables of the app.')
param tables string[]

@description('Container of the host\'s account that the app\'s code is deployed to.')
param packageContainer string

@description('Whether the account with images is locked against deletion. `azd down` fails then.')
param deleteLock bool

// How long deleted and overwritten blobs, and deleted containers, can be brought back.
var undeleteDays = 14

// The same for both: no keys, no public access, identities only.
var closed = {
  allowBlobPublicAccess: false
  allowSharedKeyAccess: false
  allowCrossTenantReplication: false
  defaultToOAuthAuthentication: true
  minimumTlsVersion: 'TLS1_2'
  supportsHttpsTrafficOnly: true
  publicNetworkAccess: 'Enabled'
  networkAcls: {
    bypass: 'AzureServices' // Event Grid writes to a queue and to the container of dead letters
    defaultAction: 'Allow' // docs/deploy.md, "Private networking", says what closing it takes
  }
}

resource images 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: imagesAccountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: closed

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      isVersioningEnabled: true
      deleteRetentionPolicy: { enabled: true, days: undeleteDays }
      containerDeleteRetentionPolicy: { enabled: true, days: undeleteDays }
    }

    resource container 'containers' = [
      for name in containers: {
        name: name
        properties: { publicAccess: 'None' }
      }
    ]
  }

  // Soft delete does not end the life of a version: this does. It counts from when the version was
  // written, which may be years before it was replaced, so the days to bring it back are those of
  // soft delete, which holds what a rule deletes like everything else.
  resource lifecycle 'managementPolicies' = {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'earlier-versions'
            type: 'Lifecycle'
            enabled: true
            definition: {
              filters: { blobTypes: ['blockBlob'] }
              actions: { version: { delete: { daysAfterCreationGreaterThan: 1 } } }
            }
          }
        ]
      }
    }
    dependsOn: [blobs]
  }

  resource queueService 'queueServices' = {
    name: 'default'

    resource queue 'queues' = [for name in queues: { name: name }]
  }

  resource tableService 'tableServices' = {
    name: 'default'

    resource table 'tables' = [for name in tables: { name: name }]
  }
}

// It protects the account, not what is in it. Who removes it needs the role Owner.
resource imagesLock 'Microsoft.Authorization/locks@2020-05-01' = if (deleteLock) {
  scope: images
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'It holds images, records and backups. docs/deploy.md says how to remove the lock.'
  }
}

resource host 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: hostAccountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: closed

  resource blobs 'blobServices' = {
    name: 'default'

    resource package 'containers' = {
      name: packageContainer
      properties: { publicAccess: 'None' }
    }
  }
}

// Its identity delivers to the queue and to the dead letters: see roles.bicep.
resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: topicName
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: images.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}
